"""How a reply looks: the frame around its HTML, and the one style element of an output.

The element is constant and small. Where it is stripped (GitHub, a notebook that is not trusted),
what remains is plain, readable HTML. Colours are JupyterLab's variables, so that they follow its
theme, with fallbacks for pages that have none.
"""

from __future__ import annotations

from xcyq_magic.display.markup import escape, to_html

# JupyterLab's own classes: a reply looks like a Markdown cell, live as well as settled.
_REPLY = "jp-RenderedHTMLCommon jp-RenderedMarkdown xcyq-reply"

# Class names are doubled where JupyterLab's own rules for the same element would win otherwise.
STYLE = """<style>
.xcyq-reply.xcyq-reply{padding:0;line-height:var(--jp-content-line-height,1.6)}
.xcyq-reply.xcyq-reply table{display:block;width:fit-content;max-width:100%;overflow-x:auto;margin:0 0 1em}
.xcyq-reply.xcyq-reply th,.xcyq-reply.xcyq-reply td{text-align:left}
.xcyq-reply.xcyq-reply pre{margin:0 0 1em;padding:.5em .75em;overflow-x:auto;
background:var(--jp-cell-editor-background,#f5f5f5)}
.xcyq-reply.xcyq-reply pre code{background:none}
.xcyq-quiet{color:var(--jp-ui-font-color2,#616161);
font:var(--jp-ui-font-size1,13px)/1.6 var(--jp-ui-font-family,sans-serif)}
</style>"""

# While it is live, a part of the reply is a widget: let its content have the whole width.
LIVE_PART = "xcyq-live"
LIVE_STYLE = f"<style>.{LIVE_PART}>.widget-htmlmath-content{{flex:1 1 0;min-width:0}}</style>"


def styled(html: str) -> str:
    """A whole output: `html`, and the style element for it."""
    return f"<div>{STYLE}{html}</div>"


def quiet(text: str) -> str:
    """A small line beside a reply, of plain text."""
    return f'<div class="xcyq-quiet">{escape(text)}</div>'


def body(reply_html: str) -> str:
    """A reply's own HTML, framed."""
    return f'<div class="{_REPLY}">{reply_html}</div>'


def folded(summary: str, markdown: str) -> str:
    """Markdown that opens with a click; nothing if there is none."""
    if not markdown:
        return ""
    return f'<details class="xcyq-quiet"><summary>{escape(summary)}</summary>{body(to_html(markdown))}</details>'
