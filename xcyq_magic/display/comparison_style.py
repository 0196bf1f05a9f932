"""How a comparison looks: columns side by side, which scroll sideways where there is no room, and a table of figures.

As in `display.style`, the element is constant, and what remains where it is stripped is a plain, readable table.
"""

from __future__ import annotations

from xcyq_magic.gateway import catalog

COLUMN_EM = 20  # the least width of a column, in its own font's size

# JupyterLab has rules of its own for every table in an output: centred cells, stripes, a frame where the mouse is.
COMPARISON_STYLE = """<style>
.xcyq-scrolls{margin:0 0 .75em}
.xcyq-columns.xcyq-columns.xcyq-columns{table-layout:fixed;width:100%;margin:0;border-collapse:collapse}
.xcyq-columns.xcyq-columns.xcyq-columns>*>tr,.xcyq-columns.xcyq-columns.xcyq-columns>*>tr:hover{background:none}
.xcyq-columns.xcyq-columns.xcyq-columns>*>tr>*{vertical-align:top;text-align:start;white-space:normal;font-weight:normal;
padding:.5em 1em;border-left:1px solid var(--jp-border-color2,#e0e0e0)}
.xcyq-columns.xcyq-columns.xcyq-columns>thead>tr>*{padding-bottom:0}
.xcyq-columns.xcyq-columns.xcyq-columns>*>tr>:first-child{padding-left:0;border-left:none}
.xcyq-name{font:600 var(--jp-ui-font-size2,15px)/1.4 var(--jp-ui-font-family,sans-serif);overflow-wrap:anywhere;
color:var(--jp-ui-font-color1,#212121)}
.xcyq-failed{border-left:3px solid var(--jp-error-color1,#d32f2f);padding:.25em .75em;
font:var(--jp-ui-font-size1,13px)/1.6 var(--jp-ui-font-family,sans-serif);overflow-wrap:anywhere}
.xcyq-metrics.xcyq-metrics.xcyq-metrics{table-layout:auto;margin:0;border-collapse:collapse;
font:var(--jp-ui-font-size1,13px)/1.5 var(--jp-ui-font-family,sans-serif);font-variant-numeric:tabular-nums}
.xcyq-metrics.xcyq-metrics.xcyq-metrics>*>tr{background:none}
.xcyq-metrics.xcyq-metrics.xcyq-metrics>*>tr>*{vertical-align:top;text-align:right;white-space:nowrap;
padding:.25em .75em;min-width:4.5em;border-top:1px solid var(--jp-border-color2,#e0e0e0)}
.xcyq-metrics.xcyq-metrics.xcyq-metrics>thead>tr>*{border-top:none;font-weight:normal;
color:var(--jp-ui-font-color2,#616161)}
.xcyq-metrics.xcyq-metrics.xcyq-metrics>*>tr>:is(:first-child,:nth-child(2),:last-child){text-align:left}
.xcyq-usage.xcyq-metrics.xcyq-metrics.xcyq-metrics>*>tr>:is(:nth-child(2),:last-child){text-align:right}
.xcyq-metrics.xcyq-metrics.xcyq-metrics>*>tr>:first-child{padding-left:0;font-weight:600}
.xcyq-bar.xcyq-bar{margin:1px 0 2px auto;border-radius:2px;background-color:var(--jp-border-color1,#9ca3af)!important}
strong+.xcyq-bar.xcyq-bar{background-color:var(--jp-brand-color1,#3b82f6)!important}
.xcyq-stands-out.xcyq-stands-out{color:var(--jp-warn-color0,#b45309)!important;font-weight:600}
.xcyq-verdict{border-left:3px solid var(--jp-brand-color1,#3b82f6);padding:.25em .75em;margin:0 0 .75em}
.xcyq-difference.xcyq-difference{font:var(--jp-content-font-size1,14px)/1.6 var(--jp-content-font-family,sans-serif);
margin-top:.25em;margin-bottom:.75em;overflow-wrap:anywhere}
:is(.xcyq-difference,.xcyq-quiet) del{background:rgba(220,38,38,.16);text-decoration-color:rgba(220,38,38,.7)}
:is(.xcyq-difference,.xcyq-quiet) ins{background:rgba(22,163,74,.18);text-decoration:none}
</style>"""

# While they are live, columns are boxes of widgets that look like the cells of that table. Those that are out of sight
# are not laid out.
COLUMNS = "xcyq-live-columns"
COLUMN = "xcyq-live-column"
HIDDEN = "xcyq-hidden"
LIVE_COLUMNS_STYLE = f"""<style>
.xcyq-live-columns.xcyq-live-columns{{display:flex;align-items:stretch;overflow-x:auto;margin:0 0 .75em}}
.xcyq-live-column.xcyq-live-column{{flex:1 0 {COLUMN_EM}em;flex-direction:column;min-width:0;padding:.5em 1em;
content-visibility:auto;
font-size:var(--jp-ui-font-size1,13px);border-left:1px solid var(--jp-border-color2,#e0e0e0)}}
.xcyq-hidden.xcyq-hidden{{display:none}}
.xcyq-live-column.xcyq-live-column:first-child{{padding-left:0;border-left:none}}
</style>"""


def pool(model: str) -> str:
    """Where a model's answers come from, in a word or two; ``""`` for a model that is not known."""
    known = catalog.MODELS.get(model)
    if known is None:
        return ""
    words = known.pool.split(" (")[0].split(",")[0]
    return f"{words.removesuffix(' pool')} pool"
