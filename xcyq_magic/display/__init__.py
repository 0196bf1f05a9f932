"""How replies are shown: Markdown as safe HTML, the live views, the settled outputs, tables.

`gfm` reads Markdown, `markup` alone makes safe HTML of it, and `streaming` does so while it grows, in the pieces and
`sections` of a long reply. `bundle` is the settled output of a reply, `settled_comparison` that of several, with
`metrics` and `difference`; `preview` is that of a dry run. `caption` has their lines, `style` their looks. `views` are
the live ones of a notebook, where alone ipywidgets is imported, and `terminal` those of a terminal. Text of a model or
of the gateway reaches HTML through `markup` only.
"""
