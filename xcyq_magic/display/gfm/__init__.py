r"""GitHub's Markdown, as models write it: an extension of Python-Markdown whose parser is our reader.

::

    import markdown
    markdown.markdown(text, extensions=["xcyq_magic"])              by its entry point
    markdown.markdown(text, extensions=["xcyq_magic.display.gfm"])  by its module
    markdown.markdown(text, extensions=[GfmExtension()])

`blocks` finds the structure line by line, `inline` what stands within a block, `tree` makes elements
of both. Each reads its text once, from left to right, so its time grows as the text does, whatever a
looping model repeats 20,000 times; and of equal rows, items or lines, each is read as the first one is.
Pure text in, elements out: nothing here knows of widgets, and what is safe to show is `display.markup`'s
business.

Source of the rules: the CommonMark specification 0.31 (https://spec.commonmark.org/0.31.2/), the
extensions of GitHub's (https://github.github.com/gfm/), and GitHub's for math and footnotes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ElementTree

from markdown.blockparser import BlockParser
from markdown.extensions import Extension
from markdown.util import Registry

from xcyq_magic.display.gfm.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markdown import Markdown

__all__ = ["GfmExtension", "makeExtension"]


class GfmExtension(Extension):
    r"""Have `markdown` read GitHub's dialect, with math, as a reply is read; the HTML is not cleaned.

    The reader takes the place of `markdown`'s own block parser and inline patterns. What they need before and after
    them (white space and raw HTML put aside, characters put back) is left out. The steps of extensions that are listed
    after this one run as ever: preprocessors on the lines, treeprocessors on the elements, postprocessors on the HTML.

    Differs from GitHub where a reply is shown in a notebook: raw HTML is text, but for a few harmless tags; a picture
    is a link, unless it is here in full; math is ``<span class="xcyq-math">\(…\)</span>``; footnotes are not linked.

    A link may still lead to ``javascript:``. Clean the HTML before a page shows it, as `display.markup` does.

    Parameters
    ----------
    sections
        Configuration: numbers of lines, counted from 0. With the block that begins there, a new section begins, which
        the comment `document.NEXT_SECTION` marks. None by default.
    """

    def __init__(self, **configs: Any) -> None:  # noqa: ANN401  # as its base class has it
        self.config = {"sections": [(), "Numbers of lines, counted from 0, with which the further sections begin"]}
        super().__init__(**configs)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # the name that `markdown` calls
        """Put our reader in the place of the parser of `md`."""
        md.preprocessors, md.treeprocessors, md.postprocessors = Registry(), Registry(), Registry()
        md.parser = _Reader(md, self)


class _Reader(BlockParser):
    """Reads whole documents; the block processors of other extensions are not asked."""

    def __init__(self, md: Markdown, extension: GfmExtension) -> None:
        super().__init__(md)
        self._extension = extension

    def parseDocument(self, lines: Iterable[str]) -> ElementTree:  # noqa: N802  # as above
        return ElementTree(Document("\n".join(lines)).element(self._extension.getConfig("sections")))


def makeExtension(**configs: Any) -> GfmExtension:  # noqa: ANN401, N802  # what `markdown` looks for in a module
    """Return the extension, for ``extensions=["xcyq_magic.display.gfm"]``."""
    return GfmExtension(**configs)
