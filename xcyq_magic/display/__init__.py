"""What is seen: Markdown made safe HTML, the live view, the settled output, tables.

`gfm` reads Markdown, `markup` alone makes safe HTML of it, `streaming` does so while it grows, `bundle` is
the settled output of a reply and `comparison` that of several, `views` are the live ones, where alone ipywidgets
is imported. Text of a model or of the gateway reaches HTML through `markup` only.
"""
