"""The outputs of a live reply: one, and a further one each time that it gets long."""

from __future__ import annotations

import itertools
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from IPython.display import update_display

from xcyq_magic.display.bundle import section_bundle
from xcyq_magic.display.sections import Sections, is_long_enough
from xcyq_magic.display.streaming import Frame, StreamingMarkdown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import ipywidgets as widgets

    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.display.views.buttons import GrowingReply, WidgetMaker

_READY_S = 0.3  # after which a new output is on the page, surely
_BELOW = "The reply goes on here; once it has ended, %chat_history shows it whole."
_SPARE_CHARS = 1_600  # before the end of a section: then the output for the next one is opened


@dataclass
class _Output:
    """One output of the reply, and the section of it that it shows."""

    display_id: str
    text: GrowingReply
    box: widgets.Box
    line: int = 0  # with which the section begins
    between: int | None = None  # the last line so far with which a block begins, before another one
    opened: float = 0.0
    html: str = ""  # of the section, once it has been rendered
    settled: Bundle | None = None


class LiveSections:
    """Shows the text of a reply in one output, and in further ones as it gets long.

    A section is settled while the next one still grows: the page need not lay out a long reply in one go, and what has
    settled is in the notebook's file whatever happens.

    The output of the next section is opened early, since a new view takes a moment to appear. It is hidden until the
    message by which the one before it is full (`style.LIVE_STYLE`). If the reply ends earlier, its last blocks go there
    when it settles: an output cannot be taken back, and must not stay empty.

    Parameters
    ----------
    made
        Makes the widgets.
    first
        The widgets of the first section: those of its text, and the box for all.
    said
        A line that stands in the place of the live reply where there are no widgets.
    opening
        Gives the static bundle of the first section, from its HTML, its Markdown and the reply's id.
    further
        Makes the widgets of a further section, as of the first; None where no further output can be opened.
    """

    def __init__(
        self,
        made: WidgetMaker,
        first: tuple[GrowingReply, widgets.Box],
        said: str,
        opening: Callable[[str, str, str], Bundle],
        further: Callable[[], tuple[GrowingReply, widgets.Box]] | None,
    ) -> None:
        self._made = made
        self._opening = opening
        self._further = further
        self._id = uuid.uuid4().hex
        self._streaming = StreamingMarkdown()
        self._outputs = [self._open(0, *first, said)]
        self._spare: _Output | None = None
        self._chars = 0
        self._before = 0  # characters of the reply before the section that grows

    def feed(self, text: str) -> None:
        """Show more text; if there is none, what a frame held back."""
        self._chars += len(text)
        frame = self._streaming.feed(text) if text else self._streaming.refresh()
        self._settle_those_before()
        line = self._streaming.finished_lines if frame.closed and self._further is not None else None
        if line is None or not self._turned_over(frame, line):
            self._outputs[-1].text.show(frame)
        if line is not None:
            self._prepare(line)

    def _prepare(self, line: int) -> None:
        """Open the output for the next section, if it will be needed soon; a block has ended before that line."""
        growing = self._outputs[-1]
        soon = is_long_enough(self._chars - self._before + _SPARE_CHARS, self._before)
        if soon and self._spare is None and self._further is not None and growing.between is not None:
            self._spare = self._open(growing.between, *self._further(), _BELOW)
        if line > growing.line:
            growing.between = line

    def _open(self, line: int, text: GrowingReply, box: widgets.Box, said: str) -> _Output:
        output = _Output(uuid.uuid4().hex, text, box, line, opened=time.monotonic())
        self._made.show(box, said, output.display_id)
        return output

    def _turned_over(self, frame: Frame, line: int) -> bool:
        """Go on in the next output, if it is time to, and return whether it was.

        The next output gets what is below the segment that ends here.
        """
        spare = self._spare
        if spare is None or time.monotonic() - spare.opened < _READY_S:
            return False
        if not is_long_enough(self._chars - self._before, self._before):
            return False
        spare.text.show(Frame(tail=frame.tail or ""))
        self._outputs[-1].text.end(frame.segment or "")
        spare.line = line
        self._outputs.append(spare)
        self._before, self._spare = self._chars, None
        return True

    def _settle_those_before(self) -> None:
        for number, (output, following) in enumerate(itertools.pairwise(self._outputs)):
            if output.settled is None:
                output.html, markdown = self._streaming.between(output.line, following.line)
                said = output.html, markdown, self._id
                self._replace(output, section_bundle(*said, number) if number else self._opening(*said))

    @property
    def _all(self) -> list[_Output]:
        """The outputs that are open, with the one that is not needed yet."""
        return [*self._outputs, *([self._spare] if self._spare else [])]

    def settle(self, bundles: Callable[[Sections], Sequence[Bundle]]) -> None:
        """Replace all by their static bundles, the last first: what has not settled by then stands below the rest.

        `bundles` gives the bundles of the sections that it is called with.
        """
        outputs = self._all
        rendered = tuple(itertools.takewhile(bool, (output.html for output in outputs)))
        settled = bundles(Sections(tuple(output.line for output in outputs[1:]), self._id, rendered))
        for output, bundle in reversed(list(zip(outputs, settled, strict=False))):
            if output.settled != bundle:  # a definition may have come after what refers to it
                self._replace(output, bundle)
        self._made.leave((o.box, bundle["text/html"]) for o, bundle in zip(outputs, settled, strict=False))

    @staticmethod
    def _replace(output: _Output, bundle: Bundle) -> None:
        update_display(bundle, display_id=output.display_id, raw=True)
        output.settled = bundle
