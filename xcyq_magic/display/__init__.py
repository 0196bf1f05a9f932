"""What is seen: Markdown made safe HTML, the live view, the settled output, tables.

ipywidgets is imported in `views` alone. Text of a model or of the gateway reaches HTML through
`markup` only.
"""
