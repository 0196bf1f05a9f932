"""A reply in a terminal that shows colours: Markdown, block by block. The only module that imports rich.

What is written stays as it is, so that it scrolls, survives another width of the window and can be copied: a block
is written once it is finished, code line by line. Only the last line changes in place: it shows, dimmed, what comes
of a block that is not finished.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console
from rich.markdown import CodeBlock, Heading, Markdown
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from xcyq_magic.display.markup import without_controls
from xcyq_magic.display.streaming import blocks_of, finished_markdown
from xcyq_magic.errors import encodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token
    from rich.console import ConsoleOptions, RenderResult

_INDENT = 2  # of code
_OPENING = re.compile(r"\s*^(?P<fence>`{3,}(?!.*`)|~{3,})[ \t]*(?P<language>[^\s`]*).*\n", re.MULTILINE)
_CLOSING = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*")
_KNOWN_LINES = 100  # of code before a line, by which it is coloured
_STYLE = re.compile(r"\x1b\[[\d;]*m")
_ERASE_LINE = "\r\x1b[2K"


class ColouredText:
    """Writes Markdown as it comes.

    Parameters
    ----------
    light
        Whether the terminal's background is.
    """

    def __init__(self, *, light: bool = False) -> None:
        self._theme = "ansi_light" if light else "ansi_dark"
        self._tail = ""  # of which nothing has been written
        self._code: _Code | None = None  # whose fence is open
        self._begun = False
        self._preview = False

    def write(self, text: str) -> None:
        """Take in more of the text, and write what is finished."""
        self._tail += encodable(without_controls(text))  # as it is laid out: a question mark is narrower than an emoji
        while self._write_code() if self._code else self._write_blocks():
            pass
        self._show_preview()

    def finish(self) -> None:
        """Write the rest."""
        tail, self._tail = self._tail, ""
        if self._code:
            self._write_lines(self._code.lines(tail.split("\n") if tail else []))
        elif tail.strip():
            self._write_markdown(tail)
        self._erase_preview()
        sys.stdout.flush()

    def _write_blocks(self) -> bool:
        """Write the finished blocks, and return whether code begins behind them."""
        done, rest = finished_markdown(self._tail)
        opening = _OPENING.search(done + rest) if _OPENING.search(done) or _OPENING.match(rest) else None
        if opening is not None:  # code is written line by line, also where it is finished
            done, rest = (done + rest)[: opening.start()], (done + rest)[opening.end() :]
            self._code = _Code(opening["fence"], opening["language"], self._theme)
        if done.strip():
            self._write_markdown(done)
        if opening is not None:
            self._separate()
        self._tail = rest
        return opening is not None

    def _write_code(self) -> bool:
        """Write the complete lines of the code, and return whether it ends there."""
        *lines, self._tail = self._tail.split("\n")
        code, self._code = self._code, None
        end = next((n for n, line in enumerate(lines) if code and code.closed_by(line)), None)
        if code is None or end is None:
            self._code = code
            self._write_lines(code.lines(lines) if code else ())
            return False
        self._write_lines(code.lines(lines[:end]))
        self._tail = "\n".join([*lines[end + 1 :], self._tail])
        return True

    def _write_markdown(self, text: str) -> None:
        for block in blocks_of(text):
            self._write_block(block)

    def _write_block(self, text: str) -> None:
        self._separate()
        console = _console()
        with console.capture() as rendered:
            console.print(_SafeMarkdown(text, self._theme))
        lines = rendered.get().split("\n")
        shown = [n for n, line in enumerate(lines) if _STYLE.sub("", line).strip()]
        # rich sets some blocks apart by itself, and not always by one line.
        if shown:
            sys.stdout.write(encodable("".join(f"{line}\n" for line in lines[shown[0] : shown[-1] + 1])))

    def _write_lines(self, lines: Sequence[Text]) -> None:
        if lines:
            self._erase_preview()
        for line in lines:
            # The terminal wraps it, so that it is copied as one line.
            _console().print(Text(" " * _INDENT).append_text(line), soft_wrap=True)

    def _separate(self) -> None:
        """Write an empty line between blocks."""
        self._erase_preview()
        if self._begun:
            sys.stdout.write("\n")
        self._begun = True

    # The last line, which shows that something comes

    def _show_preview(self) -> None:
        self._erase_preview()
        width = _console().width - 1
        line = " ".join(self._tail[-4 * width :].split())
        while (over := cell_len(line) - width) > 0:
            line = line[max(1, over // 2) :]
        if line:
            sys.stdout.write(f"\x1b[2m{encodable(line)}\x1b[0m")
            self._preview = True
        sys.stdout.flush()

    def _erase_preview(self) -> None:
        if self._preview:
            sys.stdout.write(_ERASE_LINE)
            self._preview = False


class _Code:
    """Code whose fence is open."""

    def __init__(self, fence: str, language: str, theme: str) -> None:
        self._fence = fence
        self._syntax = Syntax("", language or "text", theme=theme, background_color="default")
        self._lines: list[str] = []

    def closed_by(self, line: str) -> bool:
        """Return whether `line` closes the fence."""
        closing = _CLOSING.fullmatch(line)
        return closing is not None and closing["fence"].startswith(self._fence)

    def lines(self, more: Sequence[str]) -> list[Text]:
        """Return the next lines, coloured by those before them."""
        self._lines += more
        if not more:
            return []
        known = "\n".join([*self._lines[-len(more) - _KNOWN_LINES :], ""])
        return list(self._syntax.highlight(known).split("\n", allow_blank=True))[-len(more) - 1 : -1]


class _SafeMarkdown(Markdown):
    """Markdown of which nothing is hidden: raw HTML is text, and a URL stands beside its link."""

    def __init__(self, text: str, theme: str) -> None:
        super().__init__("", code_theme=theme, hyperlinks=False)
        parser = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
        self.parsed = parser.parse(text)
        _show_images_as_links(self.parsed)


class _IndentedCode(CodeBlock):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        syntax = Syntax(str(self.text).rstrip(), self.lexer_name, theme=self.theme, background_color="default")
        yield Padding(syntax.highlight(syntax.code), (0, 0, 0, _INDENT))


class _LeftHeading(Heading):
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


_SafeMarkdown.elements = {
    **Markdown.elements,
    "heading_open": _LeftHeading,
    "fence": _IndentedCode,
    "code_block": _IndentedCode,
}


def _show_images_as_links(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type == "image":
            name = "".join(c.content for c in token.children or ())
            token.type, token.tag, token.children = "text", "", None
            token.content = f"{name} ({token.attrs.get('src', '')})"
        elif token.children:
            _show_images_as_links(token.children)


def _console() -> Console:
    """Return the terminal as it is now: its width may have changed, and IPython may have replaced the stream."""
    return Console(file=sys.stdout, highlight=False)
