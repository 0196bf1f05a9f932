"""What is seen: Markdown made safe HTML, the live view, the settled output, tables.

`gfm` reads Markdown, `markup` alone makes safe HTML of it, `streaming` does so while it grows, `bundle` is
the settled output and `views` the live one, where alone ipywidgets is imported. Text of a model or of the
gateway reaches HTML through `markup` only.
"""
