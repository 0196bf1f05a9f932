"""How a reply looks: the frame around its HTML, and the one style element of an output.

The element has the rules that its output uses. Where it is stripped (GitHub, a notebook that is not trusted), what
remains is readable HTML, and JupyterLab leaves it the styles of `_INLINE`. Colours are JupyterLab's variables, so that
they follow its theme, with fallbacks for pages that have none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.tree import CLASSES as TOKEN_CLASSES
from xcyq_magic.display.markup import escape, to_html

if TYPE_CHECKING:
    from collections.abc import Sequence


MORE = "xcyq-more"  # of a reply's further sections, and what stands for them while they are live
_FOLLOWED = "xcyq-followed"
_MOST_THOUGHTS = 600  # characters of reasoning shown while it comes

# JupyterLab's own classes: a reply looks like a Markdown cell, live as well as settled.
_REPLY = "jp-RenderedHTMLCommon jp-RenderedMarkdown xcyq-reply"

# Class names are doubled where JupyterLab's own rules for the same element would win otherwise. Two rules are for
# Notebook 7, which puts a long output into a scrolling box as soon as it settles, away from who reads it.
# A section of a long reply is skipped by the page while it is off the screen, but not before its height is known: where
# somebody reads must not move. What is put beside it would have all in it styled anew.
# What is wider than its place has a shadow at each edge behind which there is more: the shadows stay at the edges, and
# what covers them is scrolled along (`local`). A table's stripes let them through. Pages without JupyterLab's variables
# have none.
# The editor's colours have a contrast of 3.5 to 4.4 on its ground, in one theme or the other: each gets some of the
# text's colour.
STYLE = """<style>
.xcyq-reply.xcyq-reply{line-height:var(--jp-content-line-height,1.6)}
.xcyq-reply.xcyq-reply>:first-child{margin-top:0}
.xcyq-reply.xcyq-reply>:is(h1,h2,h3,h4,h5,h6):first-child{margin-top:.6em}
.xcyq-reply.xcyq-reply>:first-child>.xcyq-math:first-child>mjx-container[display]{
margin-top:calc(1em - var(--jp-content-font-size1,14px))}
.xcyq-reply.xcyq-reply table{display:block;width:fit-content;max-width:100%;overflow-x:auto;
margin:0 0 var(--jp-content-font-size1,14px)}
.xcyq-reply.xcyq-reply :is(p,li,h1,h2,h3,h4,h5,h6,td,th,summary){unicode-bidi:plaintext;text-align:start}
.xcyq-reply.xcyq-reply :is(td,th)[style*=left]{text-align:start!important}
.xcyq-reply.xcyq-reply pre{margin:0 0 var(--jp-content-font-size1,14px);padding:.5em .75em;overflow-x:auto;
--xcyq-back:var(--jp-cell-editor-background,#f5f5f5)}
.xcyq-reply.xcyq-reply pre code{background:none!important}
.xcyq-reply.xcyq-reply :is(pre,pre code){white-space:pre;word-break:normal}
.xcyq-reply.xcyq-reply :is(table,pre),.xcyq-scrolls,.xcyq-live-columns{background:
linear-gradient(90deg,var(--xcyq-back,var(--jp-layout-color0,transparent)) 33%,transparent) 0 0/3em 100% local,
linear-gradient(270deg,var(--xcyq-back,var(--jp-layout-color0,transparent)) 33%,transparent) 100% 0/3em 100% local,
linear-gradient(90deg,var(--jp-border-color1,transparent),transparent) 0 50%/.75em calc(100% - 2px),
linear-gradient(270deg,var(--jp-border-color1,transparent),transparent) 100% 50%/.75em calc(100% - 2px),
var(--xcyq-back,transparent);background-repeat:no-repeat}
.xcyq-reply.xcyq-reply pre[style]{background-color:var(--xcyq-back)!important}
.xcyq-reply.xcyq-reply tbody>tr:not(:hover){background:none}
.xcyq-reply.xcyq-reply tbody>tr:nth-child(even):not(:hover){background:rgba(128,128,128,.09)}
.xcyq-reply .task-list-item>ul{padding-left:3em}
.xcyq-reply .highlight [class]{color:color-mix(in srgb,var(--xcyq-ink,currentColor) 80%,
var(--jp-content-font-color1,#212121))}
.xcyq-reply .highlight .c{--xcyq-ink:var(--jp-mirror-editor-comment-color,#408080);font-style:italic}
.xcyq-reply .highlight :is(.k,.ow){--xcyq-ink:var(--jp-mirror-editor-keyword-color,#008000);font-weight:bold}
.xcyq-reply .highlight .s{--xcyq-ink:var(--jp-mirror-editor-string-color,#ba2121)}
.xcyq-reply .highlight .m{--xcyq-ink:var(--jp-mirror-editor-number-color,#008800)}
.xcyq-reply .highlight :is(.nf,.nc,.nd){--xcyq-ink:var(--jp-mirror-editor-def-color,#0000ff)}
.xcyq-reply .highlight :is(.nb,.ne){--xcyq-ink:var(--jp-mirror-editor-builtin-color,#008000)}
.xcyq-reply .highlight .nt{--xcyq-ink:var(--jp-mirror-editor-tag-color,#117700)}
.xcyq-reply .highlight .na{--xcyq-ink:var(--jp-mirror-editor-attribute-color,#0000cc)}
:is(.xcyq-followed,.xcyq-more).xcyq-reply{display:flow-root;contain-intrinsic-size:auto none auto 3000px;
animation:1s step-end forwards xcyq-rest}
.jp-RenderedHTMLCommon>div:last-child:has(>.xcyq-followed){margin-bottom:0}
@keyframes xcyq-rest{to{content-visibility:auto}}
.xcyq-followed.xcyq-followed.xcyq-followed>:last-child{margin-bottom:var(--jp-content-font-size1,14px)}
.xcyq-more.xcyq-more.xcyq-more>:is(h1,h2,h3,h4,h5,h6):first-child{
margin-top:calc(var(--jp-content-heading-margin-top,1.2em) - var(--jp-content-font-size1,14px))}
.xcyq-quiet{opacity:1!important;color:var(--jp-ui-font-color2,#616161);
font:var(--jp-ui-font-size1,13px)/1.6 var(--jp-ui-font-family,sans-serif)}
body[data-notebook] .jp-mod-outputsScrolled:has(.xcyq-reply) .jp-OutputArea-child{padding-top:0}
body[data-notebook] .jp-mod-outputsScrolled:has(.xcyq-reply)>*>.jp-Cell-outputArea{
max-height:none;margin-left:0;overflow:visible;box-shadow:none}
.xcyq-request.xcyq-request :is(th,td){text-align:left;vertical-align:top}
.xcyq-as-typed{font-family:var(--jp-code-font-family,monospace)}
</style>"""

# Each rule on one line, and those lines joined: in a notebook's file a line takes eleven bytes more.
_RULES = [rule.replace("\n", "") for rule in re.split(r"(?<=\})\n", STYLE)]
# What an output may hold, as its HTML names it, and what the rules for it name in their selectors.
_HELD = {
    **{name: name for name in ("xcyq-math", "highlight", "task-list-item", "xcyq-request", MORE, _FOLLOWED)},
    "xcyq-as-typed": "xcyq-as-typed",
    "xcyq-rest": _FOLLOWED,
    ":is(h1": "<h",
    "table": "<table",
    "tbody": "<table",
    "td,th)[": "<td",
    "table,pre": "<pre",
    ":is(pre": "<pre",
    " pre": "<pre",
}
# What JupyterLab leaves to an output that it does not trust. A theme's variables are not let through, nor is `start`;
# what is half transparent suits light and dark. Headings are smaller than those of the notebook and than the name above
# a column, and JupyterLab's table of contents leaves out what has their class. Their margin is that of all blocks, so
# that it is the same before any other, also where a live segment ends with one.
_PRE = "margin:0 0 14px;padding:7px 11px;overflow-x:auto;white-space:pre"
_COLOURED = '<div class="highlight">'
_CODE = '<code style="background-color:rgba(0,0,0,0);white-space:pre">'
_INLINE = {
    **{
        f"<h{level}>": f'<h{level} class="jp-toc-ignore" style="font-size:{size}em;font-weight:600;margin-bottom:14px">'
        for level, size in enumerate((1.2, 1.1, 1, 1, 1, 1), 1)
    },
    # In a notebook's file a quotation mark takes two bytes, and there are hundreds of these.
    **{f'<span class="{kind}">': f"<span class={kind}>" for kind in ("xcyq-math", *TOKEN_CLASSES)},
    "<table>": '<table style="margin:0 0 14px">',
    "<td>": '<td style="text-align:left">',
    "<th>": '<th style="text-align:left">',
    '<li class="task-list-item">': '<li class="task-list-item" style="list-style:none;margin-left:-1.4em">',
    "<pre><code>": f'<pre style="{_PRE};background-color:rgba(128,128,128,.08)">{_CODE}',
    f"{_COLOURED}<pre><code>": f'{_COLOURED}<pre style="{_PRE};background-color:rgba(0,0,0,0)">{_CODE}',
}
_TAG = re.compile(rf'(?:{_COLOURED})?<pre><code>|<(?:[^"<>]|"[^"]*")*>')  # also one with "<td>" in a value
LINE = "1px solid rgba(128,128,128,.3)"
# While it is live, a part of the reply is a widget: let its content have the whole width. Its last paragraph is not
# the reply's last, and the pieces of a huge block (`display.sections`) stand below each other without a gap. The output
# that is open for the next section is hidden, but laid out: MathJax takes the size of the font around it.
LIVE_PART = "xcyq-live"
SEGMENTS = "xcyq-segments"
TURNS = ("xcyq-turn-0", "xcyq-turn-1")
TAILS = ("xcyq-at-0", "xcyq-at-1")
FULL = "xcyq-full"  # a section whose text goes on in the next output, which is hidden until then
STOP = "xcyq-stop"
HIDDEN = "xcyq-hidden"
LIVE_STYLE = """<style>
.xcyq-reply.xcyq-reply :is(h1,h2,h3,h4,h5,h6){font-size:1em;font-weight:600;margin-bottom:14px}
.xcyq-reply.xcyq-reply.xcyq-reply h1{font-size:1.2em}
.xcyq-reply .task-list-item{list-style:none;margin-left:-1.4em}
.xcyq-reply.xcyq-reply.xcyq-reply h2{font-size:1.1em}
.xcyq-stop.xcyq-stop{height:20px;line-height:18px}
.xcyq-hidden.xcyq-hidden{display:none}
.xcyq-live>.widget-htmlmath-content{flex:1 1 0;min-width:0}
.xcyq-segments.xcyq-segments{display:block}
.xcyq-segments>*>*>.xcyq-reply>:last-child:not(.xcyq-goes-on){margin-bottom:var(--jp-content-font-size1,14px)}
.xcyq-segments>:is(*+*,.xcyq-segments>.xcyq-segments>*)>*>.xcyq-reply.xcyq-reply>:is(h1,h2,h3,h4,h5,h6):first-child{
margin-top:calc(var(--jp-content-heading-margin-top,1.2em) - var(--jp-content-font-size1,14px))}
.xcyq-segments:has(.xcyq-turn-0)~.xcyq-at-1,.xcyq-segments:has(.xcyq-turn-1)~.xcyq-at-0{display:none}
.xcyq-segments:has(.xcyq-full)~*{display:none}
.jp-OutputArea-child:has(.xcyq-segments):not(:has(.xcyq-full))+.jp-OutputArea-child:has(.xcyq-more){
display:block;height:0;min-height:0;padding:0;overflow:hidden;visibility:hidden}
.xcyq-more>.xcyq-segments>:first-child>*>.xcyq-reply.xcyq-reply>:is(h1,h2,h3,h4,h5,h6):first-child{
margin-top:calc(var(--jp-content-heading-margin-top,1.2em) - var(--jp-content-font-size1,14px))}
.xcyq-thinking{display:flex;flex-direction:column;justify-content:flex-end;max-height:7.5em;overflow:hidden}
.xcyq-thinking>.xcyq-reply{color:inherit;font:inherit}
.xcyq-reply>.xcyq-goes-on.xcyq-goes-on{margin-bottom:0!important}
.xcyq-goes-on>:is(p,ul,ol,blockquote,table,pre),.xcyq-goes-on>.highlight>pre{margin-bottom:0!important}
.xcyq-goes-on>pre,.xcyq-goes-on>.highlight>pre{padding-bottom:0!important}
.xcyq-from-above>:is(ul,ol,blockquote){margin-top:0!important}
.xcyq-from-above>pre,.xcyq-from-above>.highlight>pre{padding-top:0!important}
.xcyq-from-above>table>thead{visibility:collapse}
</style>"""
COLUMN_EM = 20  # the least width of a column, in its own font's size
# What stands in a table's cells is in the elements: JupyterLab has rules of its own for every table in an output.
COMPARISON_STYLE = """<style>
.xcyq-columns.xcyq-columns.xcyq-columns>*>tr,.xcyq-columns.xcyq-columns.xcyq-columns>*>tr:hover{background:none}
.xcyq-columns.xcyq-columns.xcyq-columns>*>tr>*{text-align:start!important;font-weight:normal}
.xcyq-name{color:var(--jp-ui-font-color1,#212121);font-family:var(--jp-ui-font-family,sans-serif)}
.lm-Widget .xcyq-keep{display:inline-block!important;vertical-align:top;height:20px;margin:0 0 0 8px;padding:0 10px;
border:none;font:inherit;line-height:18px;cursor:pointer;color:var(--jp-ui-font-color1,#212121);
background:var(--jp-layout-color2,#eee)}
.xcyq-keep::before{content:"✓ Keep this"}
.xcyq-failed{font-family:var(--jp-ui-font-family,sans-serif)}
.xcyq-metrics.xcyq-metrics.xcyq-metrics{font:var(--jp-ui-font-size1,13px)/1.6 var(--jp-ui-font-family,sans-serif);
font-variant-numeric:tabular-nums}
.xcyq-metrics.xcyq-metrics>*>tr:hover{background:none!important}
.xcyq-stands-out{color:color-mix(in srgb,var(--jp-warn-color0,#b45309) 75%,var(--jp-content-font-color1,#212121))}
.xcyq-difference.xcyq-difference{font:var(--jp-content-font-size1,14px)/1.6 var(--jp-content-font-family,sans-serif);
overflow-wrap:anywhere}
:is(.xcyq-difference,.xcyq-quiet) :is(del,ins){color:var(--jp-ui-font-color1,#212121)}
</style>"""
# While they are live, columns are boxes of widgets that look like the cells of that table. Those that are out of sight
# are not laid out.
COLUMNS = "xcyq-live-columns"
COLUMN = "xcyq-live-column"
LIVE_COLUMNS_STYLE = f"""<style>
.xcyq-live-columns.xcyq-live-columns{{display:flex;align-items:stretch;overflow-x:auto;margin:0 0 .75em}}
.xcyq-live-column.xcyq-live-column{{flex:1 0 {COLUMN_EM}em;flex-direction:column;min-width:0;padding:7px 13px;
content-visibility:auto;
font-size:var(--jp-ui-font-size1,13px);border-left:1px solid var(--jp-border-color2,#e0e0e0)}}
.xcyq-live-column>.widget-hbox{{flex-wrap:wrap;padding-bottom:10px}}
.xcyq-live-column.xcyq-live-column:first-child{{padding-left:0;border-left:none}}
</style>"""

# Rows: a table, and while they come a bar and the last of them, a line each, in a place whose height stays the same.
ROWS_STYLE = """<style>
.xcyq-rows.xcyq-rows.xcyq-rows :is(td,th){vertical-align:top;white-space:normal;overflow-wrap:break-word}
.xcyq-rows.xcyq-rows.xcyq-rows :is(td,th):first-child{white-space:nowrap;font-variant-numeric:tabular-nums;
color:var(--jp-ui-font-color2,#616161)}
.xcyq-rows img{display:inline-block;margin:.25em .25em 0 0;border:1px solid var(--jp-border-color2,#e0e0e0)}
.xcyq-rows .xcyq-quiet{font-size:inherit}
.xcyq-row-failed.xcyq-row-failed{border-left:3px solid var(--jp-error-color1,#d32f2f)}
.xcyq-stop.xcyq-stop{flex:none}
.xcyq-latest.xcyq-latest.xcyq-latest{display:table;table-layout:fixed;width:100%;margin:0}
.xcyq-latest.xcyq-latest.xcyq-latest td{height:1.6em;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.xcyq-latest td:first-child{width:6em}
.xcyq-matrix.xcyq-matrix.xcyq-matrix{width:100%;margin:0}
.xcyq-matrix.xcyq-matrix.xcyq-matrix td:nth-child(2){white-space:nowrap;text-align:right!important;
font-variant-numeric:tabular-nums}
.xcyq-matrix.xcyq-matrix.xcyq-matrix td:last-child{width:99%;min-width:12em}
.xcyq-matrix i{display:inline-block;width:1.1em;font-style:normal;text-align:center;cursor:default}
.xcyq-matrix .xcyq-yes{color:var(--jp-success-color0,#1b7f37)}
.xcyq-matrix .xcyq-no{color:var(--jp-warn-color0,#b45309)}
.xcyq-matrix .xcyq-bad{color:var(--jp-error-color1,#d32f2f);font-weight:700}
.xcyq-progress{display:flex;height:6px;margin:.15em 0 .6em;border-radius:3px;overflow:hidden;
background:var(--jp-layout-color3,#bdbdbd)}
.xcyq-progress>:first-child{background:var(--jp-brand-color1,#1976d2)}
.xcyq-progress>:last-child{background:repeating-linear-gradient(45deg,var(--jp-error-color1,#d32f2f) 0 3px,
transparent 3px 5px)}
</style>"""


def styled(html: str) -> str:
    """Return `html` as an output, with the style element for it; that of a first section is for those that follow."""
    if _FOLLOWED in html:
        return output(STYLE + html)
    return output("".join(rule for rule in _RULES if _is_used(rule, html)) + html)


def _is_used(rule: str, html: str) -> bool:
    selectors = rule.partition("{")[0]
    named = [held for name, held in _HELD.items() if name in selectors]
    return not named or any(held in html for held in named)


def inlined(html: str) -> str:
    """Return settled HTML with those styles in its elements without which it reads worse."""
    return _TAG.sub(lambda tag: _INLINE.get(tag[0], tag[0]), html)


def marked(difference: str) -> str:
    """Return the HTML of a difference with a ground for what was removed and one for what was added."""
    styles = {
        '<div class="xcyq-quiet">': "font-size:13px;line-height:1.6",  # no opacity: its words have grounds
        "<del>": "background-color:rgba(220,38,38,.16)",
        "<ins>": "background-color:rgba(22,163,74,.18);text-decoration:none",
    }
    for tag, style in styles.items():
        difference = difference.replace(tag, f'{tag[:-1]} style="{style}">')
    return f'<div style="margin:0 0 10px">{difference}</div>'


def output(html: str) -> str:
    """Return `html` as an output without a style element: another one of the page has it."""
    return f'<div style="padding:0 6px">{html}</div>'


def quiet(text: str, behind: str = "") -> str:
    """Return plain text as a small line beside a reply, with the HTML `behind` it."""
    style = "opacity:.65;font-size:13px;font-weight:400;margin:0 0 .4em"
    return f'<div class="xcyq-quiet" style="{style}">{escape(text)}{behind}</div>'


def body(reply_html: str) -> str:
    """Return the frame around rendered Markdown."""
    return f'<div class="{_REPLY}" style="padding:0">{inlined(reply_html)}</div>'


def reply_body(reply_html: str, *classes: str, unfinished: bool = False) -> str:
    """Return the frame around a reply. A screen reader says it when it has nothing else to say, once it is whole.

    Parameters
    ----------
    reply_html
        Safe HTML.
    classes
        Of the frame, besides those of every reply.
    unfinished
        Whether more is to come.
    """
    busy = ' aria-busy="true"' if unfinished else ""
    return f'<div class="{" ".join([_REPLY, *classes])}" style="padding:0" aria-live="polite"{busy}>{reply_html}</div>'


def section_body(reply_html: str, number: int, *, last: bool = False) -> str:
    """Return the frame around a section of a reply, which the next one follows without a gap.

    Parameters
    ----------
    reply_html
        Safe HTML of the section.
    number
        Of the section, from 0.
    last
        Whether no other follows.
    """
    classes = [*([MORE] if number else []), *([] if last else [_FOLLOWED])]
    return reply_body(inlined(reply_html), *classes)


def folded(summary: str, markdown: str) -> str:
    """Return Markdown that opens with a click on its summary; nothing if there is none."""
    return unfolding(summary, to_html(markdown)) if markdown else ""


def unfolding(summary: str, html: str) -> str:
    """Return safe HTML that opens with a click on its summary."""
    head = f'<summary class="xcyq-quiet" style="opacity:.65;font-size:13px">{escape(summary)}</summary>'
    return f'<details style="margin:0 0 .5em">{head}{body(html)}</details>'


def thinking(pieces: Sequence[str]) -> str:
    """Return the end of a reasoning that is still going on; it does not fold, for each frame is a new element."""
    latest = "".join(pieces[-_MOST_THOUGHTS:])[-_MOST_THOUGHTS:]  # a piece has a character at least
    return f'<div class="xcyq-quiet xcyq-thinking">{body(to_html(latest))}</div>'
