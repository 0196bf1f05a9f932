r"""What GitHub's dialect makes of a Markdown text, to compare ours with: the structure that a reader sees.

    python tests/display/oracle.py            how many texts are equal, and where each other one first differs
    python tests/display/oracle.py NAME …     the whole difference of one snippet, package's README or file

The judge is markdown-it-py. `structure` brings its HTML and ours into one form: elements, their nesting and
their text, one block a line. Of attributes it has what changes what is seen or where a link leads: a list's
first number, a cell's alignment, a link's absolute address. Where ours means to differ, the judge is taught
to do the same (`judge`), or the form is the same for both (`structure`); each such place says why.
"""

from __future__ import annotations

import difflib
import re
import sys
from functools import lru_cache
from html import escape, unescape
from html.parser import HTMLParser
from itertools import combinations, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import nh3
from markdown_it import MarkdownIt
from readmes import load
from snippets import EXPECTED, SNIPPETS

from xcyq_magic.display.markup import to_html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>br|sub|sup|kbd|u|mark|b|strong|i|em|s|del|details|summary)\s*/?>", re.IGNORECASE
)
_CODE_TAG = re.compile(r"<code\s*>(?P<code>[^`]*?)</code\s*>", re.IGNORECASE)
_DETAILS_TAG = re.compile(r"<(?P<end>/?)(?P<name>details|summary)\b[^<>]*>", re.IGNORECASE)
_DETAILS_LINE = re.compile(
    r"(?:<details(?:\s[^<>]*)?>|</details\s*>|<summary\s*>.*?</summary\s*>|</?summary\s*>|\s)+(?:<br\s*/?>)?",
    re.IGNORECASE,
)
_ATTRIBUTES = re.compile(r"<details\s+[^\s>]", re.IGNORECASE)

# What may be shown in one way or the other, and what a text has where that is seen.
LINKS_AS_TEXT = "a link with a dangerous address leads nowhere, as on GitHub, or is shown as it was written"
ATTRIBUTES_LOST = "a `<details>` with attributes is text, as all tags with attributes are, or one without"
CHOICES = {
    LINKS_AS_TEXT: re.compile(r"\b(?:javascript|vbscript|file|data):", re.IGNORECASE),
    ATTRIBUTES_LOST: _ATTRIBUTES,
}


# What the judge says.


@lru_cache
def judge(*choices: str) -> MarkdownIt:
    """markdown-it-py, taught what ours means to do otherwise than GitHub."""
    # Raw HTML is shown as text, for a reply must not bring its own: so `html` is off.
    # GitHub's boxes of task lists are not in the preset.
    md = MarkdownIt("gfm-like", {"html": False, "linkify": True, "tasklists": True})
    # The preset stops at 20 levels, GitHub does not; a list of 10 levels has 20.
    md.options["maxNesting"] = 100
    md.options["choices"] = choices
    # … but for a few tags that do no harm, which models write because GitHub shows them.
    md.inline.ruler.before("autolink", "harmless_tag", _harmless_tag)
    md.block.ruler.before("html_block", "details", _details, {"alt": ["paragraph", "reference", "blockquote"]})
    md.core.ruler.after("inline", "unbalanced_tags", _unbalanced_tags)
    md.add_render_rule("image", _picture)
    # An address is shown as it was written. (markdown-it decodes it for the eye; GitHub does not.)
    md.normalizeLinkText = str
    md.normalizeLink = str
    if LINKS_AS_TEXT not in choices:
        md.validateLink = lambda _address: True
    linkify = md.linkify
    assert linkify is not None
    # GitHub links what begins with http://, https:// or www., and e-mail addresses. A bare `example.com` it
    # does not, lest `README.md` and `os.path` became links; nor does it `//example.com`, which is a comment.
    linkify.set({"fuzzy_link": False})
    linkify.add("ftp:", None).add("//", None)
    host_and_path = f"^{linkify.re['src_host_port_strict']}{linkify.re['src_path']}"
    linkify.add("www.", {"validate": host_and_path, "normalize": _with_scheme})
    # The name in an address is GitHub's, of letters, digits and `.+-_`, lest `href="x@a.example` were a name.
    linkify.re["email_fuzzy"] = linkify.re["email_fuzzy"].replace(linkify.re["src_email_name"], "[a-zA-Z0-9.+_-]+")
    return md


def _with_scheme(_linkify, match) -> None:
    match.url = f"http://{match.url}"


def _harmless_tag(state: StateInline, silent: bool) -> bool:  # noqa: FBT001  # the library's signature
    if code := _CODE_TAG.match(state.src, state.pos, state.posMax):
        if not silent:
            state.push("code_inline", "code", 0).content = unescape(code["code"])
        state.pos = code.end()
        return True
    tag = _TAG.match(state.src, state.pos, state.posMax)
    if not tag and ATTRIBUTES_LOST in state.md.options["choices"]:
        tag = _DETAILS_TAG.match(state.src, state.pos, state.posMax)
    if not tag:
        return False
    if not silent:
        state.push("html_inline", "", 0).content = _bare(tag)
    state.pos = tag.end()
    return True


def _details(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001  # as above
    """Whole lines of `<details>` and `<summary>` stand between blocks, so that what they hold is Markdown."""
    if state.is_code_block(start) or not _details_line(state, start):
        return False
    if silent:
        return True
    line = start
    # Those that follow belong to it however they are indented; a blank line ends what GitHub takes for HTML.
    while line < end and state.sCount[line] >= state.blkIndent and (text := _details_line(state, line)):
        at = 0
        for tag in [*_DETAILS_TAG.finditer(text), None]:
            if between := text[at : tag.start() if tag else None].strip():
                if not tag:  # a line break after a title, which authors put there for space
                    state.push("paragraph_open", "p", 1)
                token = state.push("inline", "", 0)
                token.content, token.children, token.map = between, [], [line, line + 1]
                if not tag:
                    state.push("paragraph_close", "p", -1)
            if tag:
                state.push("html_block", "", 0).content = _bare(tag)
                at = tag.end()
        line += 1
    state.line = line
    return True


def _details_line(state: StateBlock, line: int) -> str:
    text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
    if _ATTRIBUTES.search(text) and ATTRIBUTES_LOST not in state.md.options["choices"]:
        return ""
    return text if text.startswith("<") and _DETAILS_LINE.fullmatch(text) else ""


def _bare(tag: re.Match[str]) -> str:
    return f"<{tag['end']}{tag['name'].lower()}>"


def _unbalanced_tags(state: StateCore) -> None:
    """A tag that does not end in its block, and an end of nothing, is text, lest a word about it changed the rest."""
    for token in state.tokens:
        opened: list[Token] = []
        unopened: list[Token] = []
        for child in token.children or []:
            tag = _TAG.fullmatch(child.content) if child.type == "html_inline" else None
            if not tag or tag["name"] in {"br", "details", "summary"}:
                continue
            if not tag["end"]:
                opened.append(child)
            elif any(t.content == f"<{tag['name']}>" for t in opened):
                while opened.pop().content != f"<{tag['name']}>":
                    pass
            else:
                unopened.append(child)
        for child in [*opened, *unopened]:
            child.type = "text"


def _picture(renderer, tokens, index, options, env) -> str:
    """A picture is a link that shows its address, for the page must not fetch it unasked; in a link it is text."""
    picture = tokens[index]
    alt, address = renderer.renderInlineAsText(picture.children, options, env), picture.attrs["src"]
    text = escape(f"{alt}: {address}" if alt and alt != address else address)
    within_link = sum((t.type == "link_open") - (t.type == "link_close") for t in tokens[:index])
    return text if within_link else f'<a href="{escape(address)}">{text}</a>'


# One form for both.

_BLOCKS = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote", "pre", "details", "summary"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
_INLINE = {"em", "strong", "del", "s", "b", "i", "a", "code", "br", "sub", "sup", "kbd", "u", "mark", "input"}
# Both go through the same repair of unbalanced tags, an HTML5 parser's, as in a browser.
_REPAIR = nh3.Cleaner(
    tags=_BLOCKS | _INLINE | {"div", "span"},
    attributes={"input": {"checked"}, "ol": {"start"}, "th": {"style"}, "td": {"style"}, "a": {"href"}},
    url_schemes={"http", "https", "mailto"},
    # A relative address would lead into the notebook's server, so ours drops it and keeps the link's text.
    url_relative="deny",
    link_rel=None,
)
_SPACE = re.compile(r"[ \t\r\n\f]+")  # what HTML collapses; not the no-break space
_MATH = re.compile(r"\\\((?P<inline>.*)\\\)|\\\[(?P<display>.*)\\\]", re.DOTALL)
# A shown tag's attribute, as in `<img src="https://…">`. Whether an address in there is a link, and whether that
# shows its entities, is nobody's rule, for GitHub would not show the tag: so none is, and they are read.
_IN_A_SHOWN_TAG = re.compile(r"=\s*[\"']$")
# The way back from a footnote: the name of its place would be an id, which ours does not let through.
_BACKLINK = re.compile(r"[ \xa0]*⟨back⟩")


class _Node:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = {"s": "del", "b": "strong", "i": "em"}.get(tag, tag)  # as ours are written
        self.attributes = attributes
        self.children: list[_Node | str] = []

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)


class _Tree(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = _Node("", {})
        self._open = [self.root]
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in {"br", "hr", "input"}:
            self._open.append(node)

    def handle_endtag(self, tag) -> None:
        if tag not in {"br", "hr", "input"}:
            self._open.pop()  # the repair has balanced them

    def handle_data(self, data) -> None:
        self._open[-1].children.append(data)


def structure(html: str) -> str:
    """The HTML's elements, nesting and text: a block a line, indented; inline elements in ⟨…⟩."""
    return "\n".join(_lines(_Tree(_REPAIR.clean(html)).root.children))


def expected(source: str, *choices: str) -> str:
    """The structure that the judge sees in a Markdown text."""
    return structure(judge(*choices).render(source))


def _lines(children: list[_Node | str]) -> Iterator[str]:
    run: list[_Node | str] = []
    for child in [*_unwrapped(children), None]:
        if child is not None and (isinstance(child, str) or child.tag not in {*_BLOCKS, "div", "math"}):
            run.append(child)
            continue
        if text := _inline(run):
            yield f"text: {text}"
        run = []
        if child is not None and child.tag != "div":
            yield from _block(child)


def _unwrapped(children: list[_Node | str]) -> Iterator[_Node | str]:
    """Without our wrappers: `div` and `span` are there for colours and for MathJax."""
    for child in children:
        if isinstance(child, str) or child.tag not in {"div", "span"}:
            yield child
        elif math := _MATH.fullmatch(child.text):
            # Math is an element of its own that holds nothing but TeX between MathJax's delimiters, whatever its
            # class. (A lone delimiter in an element of its own is text; JupyterLab must not take it for math.)
            node = _Node("math" if math["display"] is not None else "inline-math", {})
            tex = math["display"] if math["display"] is not None else math["inline"]
            node.children = [_SPACE.sub(" ", tex).strip()]
            yield node
        else:
            if child.tag == "div":
                yield _Node("div", {})  # what stands before is not of one line with what stands within
            yield from _unwrapped(child.children)
            if child.tag == "div":
                yield _Node("div", {})


def _block(node: _Node) -> Iterator[str]:
    name = node.tag
    if name == "ol" and (first := int(node.attributes.get("start", "1"))) != 1:
        name += f" from {first}"
    if align := re.search(r"text-align:\s*(left|center|right)", node.attributes.get("style", "")):
        name += f" {align[1]}"
    if node.tag == "pre":
        yield "pre"
        # The last line ends with the block, whether a line feed stands there or not.
        yield from (f"  | {line}" for line in node.text.removesuffix("\n").split("\n"))
        return
    if node.tag == "math":
        yield f"math: {node.text}"
        return
    if node.tag == "li":
        _box_within_text(node)
    lines = list(_lines(node.children))
    if node.tag == "summary" and len(lines) == 1:
        lines = [re.sub("^p: ", "text: ", lines[0])]  # a title is one line, in a paragraph or not
    if node.tag == "p" and any(line.startswith("math: ") for line in lines):
        # MathJax makes a block of math for display, whether it stands between paragraphs or in one.
        yield from (re.sub("^text: ", "p: ", line) for line in lines)
    elif len(lines) == 1 and lines[0].startswith("text: "):
        yield f"{name}: {lines[0].removeprefix('text: ')}"
    elif lines or node.tag not in {"p", "tbody"}:
        # An empty paragraph is what a repaired tag leaves; Markdown has none. An empty `tbody` is not seen.
        yield name
        yield from (f"  {line}" for line in lines)


def _box_within_text(item: _Node) -> None:
    """A loose task's box stands before its paragraph, or in it."""
    nodes = [c for c in item.children if not isinstance(c, str) or c.strip()]
    if len(nodes) > 1 and [n.tag if isinstance(n, _Node) else "" for n in nodes[:2]] == ["input", "p"]:
        box, paragraph = nodes[:2]
        paragraph.children.insert(0, box)
        item.children = nodes[1:]


def _inline(children: list[_Node | str]) -> str:
    text = _BACKLINK.sub("", _SPACE.sub(" ", "".join(_pieces(children, ""))))
    return re.sub(r" ?⟨br⟩ ?", "⟨br⟩", text).strip(" ")  # a space beside a line's end is not seen


def _pieces(children: list[_Node | str], before: str) -> Iterator[str]:
    for child in _unwrapped(children):
        piece = _piece(child, before)
        before = (before + piece)[-8:]
        yield piece


def _piece(node: _Node | str, before: str) -> str:
    """One inline element or text; `before` is the end of what stands before it."""
    if isinstance(node, str):
        return node.replace("⟨", "⟨⟨")  # no text is taken for an element
    if node.tag == "a":
        return _link(node, before)
    whole = {
        "br": "⟨br⟩",
        "input": "☑ " if "checked" in node.attributes else "☐ ",
        "math": rf"⟨math⟩\[{node.text}\]⟨/math⟩",
        "inline-math": rf"⟨math⟩\({node.text}\)⟨/math⟩",
        "code": f"⟨code⟩{node.text}⟨/code⟩",
    }
    if node.tag in whole:
        return whole[node.tag]
    inner = "".join(_pieces(node.children, ""))
    if node.tag == "sup":  # a footnote's number may be a link that leads nowhere, for it has no id to lead to
        inner = re.sub(r"^⟨a⟩(\d+)⟨/a⟩$", r"\1", inner)
    if node.tag == "strong":  # bold in bold is not bolder; GitHub leaves the inner one out
        inner = re.sub("⟨/?strong⟩", "", inner)
    return f"⟨{node.tag}⟩{inner}⟨/{node.tag}⟩"


def _link(link: _Node, before: str) -> str:
    inner = "".join(_pieces(link.children, ""))
    if _IN_A_SHOWN_TAG.search(before):
        return unescape(inner)
    if not inner.strip(" ↩\N{VARIATION SELECTOR-15}"):
        return "⟨back⟩"
    # An address may be shown percent-encoded or not, as a picture's is; `www.` may lead to either scheme.
    address = re.sub("^https?://", "", unquote(link.attributes.get("href", "")))
    return f"⟨a{' ' + address if address else ''}⟩{unquote(inner)}⟨/a⟩"


# The comparison.


def documents() -> dict[str, str]:
    """All texts by name: the snippets, and the READMEs as `NAME.md`."""
    return SNIPPETS | {f"{name}.md": text for name, text in load().items()}


def both(name: str, source: str) -> tuple[str, str]:
    """The structure that is expected, and ours."""
    ours = structure(to_html(source))
    if name in EXPECTED:
        html = EXPECTED[name]
        # GitHub draws the line above footnotes by CSS, other dialects by an element.
        forms = [structure(html), structure(html.replace("<hr>", ""))]
        return ours if ours in forms else forms[0], ours
    theirs = expected(source)
    if ours != theirs:
        seen = [choice for choice, trace in CHOICES.items() if trace.search(source)]
        for choices in (c for n in range(len(seen)) for c in combinations(seen, n + 1)):
            if ours == expected(source, *choices):
                return ours, ours
    return theirs, ours


def difference(theirs: str, ours: str, *, most: int = 40) -> list[str]:
    """A unified diff of two structures; of long lines the part that differs."""
    a, b = theirs.split("\n"), ours.split("\n")
    out = []
    for group in difflib.SequenceMatcher(None, a, b, autojunk=False).get_grouped_opcodes(1):
        out.append(f"@@ -{group[0][1] + 1} +{group[0][3] + 1} @@")
        for kind, a1, a2, b1, b2 in group:
            if kind == "equal":
                out += [f"  {_cut(line, 0)}" for line in a[a1:a2]]
                continue
            starts = [_first_difference(x, y) for x, y in zip_longest(a[a1:a2], b[b1:b2], fillvalue="")]
            out += [f"- {_cut(line, at)}" for line, at in zip(a[a1:a2], starts, strict=False)]
            out += [f"+ {_cut(line, at)}" for line, at in zip(b[b1:b2], starts, strict=False)]
    return [*out[:most], f"… {len(out) - most} more lines"] if len(out) > most else out


def _first_difference(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _cut(line: str, at: int, width: int = 110) -> str:
    start = max(0, at - width // 3) if len(line) > width else 0
    return "…" * bool(start) + line[start : start + width] + "…" * (len(line) > start + width)


def _overview(texts: dict[str, str]) -> Iterator[str]:
    scores: dict[str, list[bool]] = {"snippets": [], "READMEs": []}
    for name, source in texts.items():
        theirs, ours = both(name, source)
        scores["snippets" if name in SNIPPETS else "READMEs"].append(theirs == ours)
        if theirs != ours:
            pairs = zip_longest(theirs.split("\n"), ours.split("\n"), fillvalue="(the end)")
            a, b = next((a, b) for a, b in pairs if a != b)
            at = _first_difference(a, b)
            yield f"{name}\n    - {_cut(a, at)}\n    + {_cut(b, at)}"
    for kind, equal in scores.items():
        yield f"{kind}: {sum(equal)}/{len(equal)} equal"


def _details_of(name: str, texts: dict[str, str]) -> Iterator[str]:
    name = f"{name}.md" if f"{name}.md" in texts else name
    theirs, ours = both(name, texts[name] if name in texts else Path(name).read_text("utf-8"))
    yield f"{name}: " + ("equal" if theirs == ours else "expected (-), ours (+)")
    yield from difference(theirs, ours, most=400)


def main(names: list[str]) -> None:
    texts = documents()
    every = not names or names == ["--all"]
    for line in _overview(texts) if every else (line for name in names for line in _details_of(name, texts)):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
