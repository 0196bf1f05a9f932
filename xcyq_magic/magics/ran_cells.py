"""What the cells of this kernel were when they ran last, and what they showed, as a notebook's file would have it.

The file is behind what stands on the page: JupyterLab saves it every two minutes. Frontends that have no file, or that
do not tell it, have their cells here alone.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import XcyqError
from xcyq_magic.magics.cell_outputs import RanCell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.magics.image_history import SeenImages

_MOST_CELLS = 500
_MOST_KEPT = 100_000_000  # characters and bytes of all that cells showed; what ran first is forgotten first
# What is worth to be kept of an output: the rest is for scripts of a page.
_KEPT = {"text/plain", "text/markdown", "text/latex", "text/html", "image/png", "image/jpeg", "image/webp", "image/gif"}
_KEPT |= {"image/svg+xml"}
_ERROR_CHARS = 2_000
_MOST_OF_REPLY = 2_000  # characters


class RanCells:
    """Remembers the cells that ran in a kernel, and hears what it sends to the page.

    In a terminal nobody can be heard, and IPython's own history has what is needed.

    Parameters
    ----------
    shell
        Whose cells they are.
    seen
        Takes in the images among their outputs.

    Attributes
    ----------
    first
        The number of the first cell that was heard of; None until it has run.
    deleted
        When the page told that a cell was deleted or cut, by its id; one that runs again is not among them.
    """

    def __init__(self, shell: InteractiveShell, seen: SeenImages) -> None:
        self._shell = shell
        self._seen = seen
        self.first: int | None = None
        self.deleted: dict[str, float] = {}
        self._cells: dict[str, RanCell] = {}  # in the order of their first runs
        self._by_run: dict[str, RanCell] = {}
        self._order: deque[str] = deque(maxlen=_MOST_CELLS)  # the keys of all runs
        self._runs = 0
        self._lock = threading.Lock()  # what is printed comes from the thread that sends it
        self._streams: list[Any] = []
        self._failed: BaseException | None = None  # whose traceback was shown last when a cell began

    def __iter__(self) -> Iterator[RanCell]:
        """Go through the cells in the order in which they ran for the first time."""
        self._flush()
        with self._lock:
            return iter(list(self._cells.values()))

    def before(self, cell: RanCell) -> Iterator[str]:
        """Go through the keys of what ran before a cell did for the first time, the latest first."""
        return islice(reversed(self._order), self._runs - cell.after, None)

    def _flush(self) -> None:
        """Have what was printed sent, and so heard."""
        for stream in self._streams:
            stream.flush()

    @property
    def _request(self) -> Mapping[str, Any]:
        return getattr(self._shell, "parent_header", None) or {}

    @property
    def asking(self) -> str:
        """The id of the request that is being executed; ``""`` where requests have none."""
        return str(self._request.get("header", {}).get("msg_id", ""))

    @property
    def is_kernel(self) -> bool:
        """Whether outputs can be heard."""
        return hasattr(self._shell.display_pub, "register_hook")

    def register(self) -> None:
        """Hear of cells and outputs from now on."""
        if not self.is_kernel:
            return
        self._note_run(self._request.get("metadata", {}).get("cellId") or "")  # the cell that loads the extension
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)
        publisher, results = self._shell.display_pub, self._shell.displayhook
        publisher.register_hook(self._displayed)  # type: ignore[attr-defined]  # ipykernel's
        # A cell's result takes another way, for which ipykernel before 7.4 has no hook.
        self._write_result = results.write_format_data
        results.write_format_data = self._result  # type: ignore[method-assign]  # of this one object
        # Hooks of a stream are the thread's that sends; ipykernel before 6.29 has none.
        self._streams = [s for s in (sys.stdout, sys.stderr) if hasattr(s, "register_hook")]
        for stream in self._streams:
            stream.pub_thread.schedule(partial(stream.register_hook, self._printed))

    def unregister(self) -> None:
        """Hear of nothing further, and forget what was heard."""
        if not self.is_kernel:
            return
        self._shell.events.unregister("pre_run_cell", self._begin)
        self._shell.events.unregister("post_run_cell", self._end)
        publisher, results = self._shell.display_pub, self._shell.displayhook
        publisher.unregister_hook(self._displayed)  # type: ignore[attr-defined]  # as above
        if vars(results).get("write_format_data") == self._result:
            del results.write_format_data
        for stream in self._streams:
            stream.pub_thread.schedule(partial(stream.unregister_hook, self._printed))
        self._streams = []
        self._cells.clear()
        self._by_run.clear()
        self._failed = None

    def _begin(self, info: Any) -> None:  # noqa: ANN401  # IPython's, without types
        run, metadata = self.asking, self._request.get("metadata", {})
        if not run or run in self._by_run or info.silent:  # a cell that runs others has its own source
            return
        cell_id = metadata.get("cellId") or None
        key = cell_id if isinstance(cell_id, str) else run
        self._failed = getattr(sys, "last_value", None)
        with self._lock:
            for gone in metadata.get("deletedCells") or ():  # JupyterLab tells them, also what was cut and pasted
                self._forget(gone)
                self.deleted[str(gone)] = time.time()
            self.deleted.pop(key, None)
            before = self._cells.get(key)
            after = before.after if before else self._runs
            ran = RanCell(key, run, cell_id, info.raw_cell, time.time(), after)
            if before:
                self._by_run = {r: c for r, c in self._by_run.items() if c is not before}
            self._cells[key] = self._by_run[run] = ran
            self._note_run(key)
            self._make_room()

    def _note_run(self, key: str) -> None:
        self._order.append(key)
        self._runs += 1

    def _make_room(self) -> None:
        while len(self._cells) > _MOST_CELLS:
            self._forget(next(iter(self._cells)))
        while len(self.deleted) > _MOST_CELLS:
            del self.deleted[next(iter(self.deleted))]

    def _forget(self, key: object) -> None:
        gone = self._cells.pop(key, None) if isinstance(key, str) else None
        if gone is not None:
            self._by_run = {r: c for r, c in self._by_run.items() if c is not gone}

    def _end(self, result: Any) -> None:  # noqa: ANN401  # IPython's, without types
        ran = self._by_run.get(self.asking)
        if ran is None or ran.source != result.info.raw_cell:  # one that this cell ran
            return
        shown = getattr(sys, "last_value", None)  # %run shows a traceback and goes on
        error = result.error_in_exec or result.error_before_exec or (shown if shown is not self._failed else None)
        ran.number, ran.ended_at = result.execution_count, time.time()
        self.first = ran.number if self.first is None else self.first
        pages = self._shell.payload_manager.read_payload() if self._shell.payload_manager else ()
        for page in pages:  # what `print?` says
            if isinstance(data := page.get("data"), dict):
                ran.show({"output_type": "display_data", "data": _kept(data)})
        if error is not None:
            ran.show({"output_type": "error", "traceback": [_trace(error)]})
        with self._lock:
            kept = sum(cell.size for cell in self._cells.values())
            while kept > _MOST_KEPT and len(self._cells) > 1:
                first = next(iter(self._cells))
                kept -= self._cells[first].size
                self._forget(first)

    def _of_run(self, message: Mapping[str, Any]) -> RanCell | None:
        return self._by_run.get(message.get("parent_header", {}).get("msg_id", ""))

    def _displayed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Hear a message of ipykernel's display publisher before it is sent, and pass it on."""
        kind, content, ran = message["header"]["msg_type"], message.get("content", {}), self._of_run(message)
        data, display_id = content.get("data", {}), content.get("transient", {}).get("display_id")
        with self._lock:
            if kind == "clear_output" and ran is not None:
                ran.clear(wait=bool(content.get("wait")))
            elif kind == "display_data" and ran is not None:
                ran.show({"output_type": kind, "data": _kept(data), "display_id": display_id})
            elif kind == "update_display_data":
                kept = _kept(data)
                for cell in self._cells.values():
                    cell.update(display_id, kept)
        if kind in {"display_data", "update_display_data"}:
            self._seen.remember(data, display_id)
        return message

    def _result(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self._seen.remember(format_dict)
        self._flush()  # so that what was printed before comes before
        ran = self._by_run.get(self.asking)
        if ran is not None:
            with self._lock:
                ran.show({"output_type": "execute_result", "data": _kept(format_dict)})
        self._write_result(format_dict, md_dict)

    def _printed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Hear what ipykernel is about to send of what was printed, and pass it on."""
        content, ran = message.get("content", {}), self._of_run(message)
        if ran is not None:
            with self._lock:
                ran.print(content.get("name", "stdout"), content.get("text", ""))
        return message


def _kept(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a bundle a notebook's reader would see without scripts, without what says the same again.

    Of a turn, which the conversation or the store has, the beginning and its id are enough, and nothing of further
    outputs of a long reply.
    """
    from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME

    plain, turn = data.get("text/plain"), data.get(TURN_MIME)
    if isinstance(turn, dict):
        said = plain[:_MOST_OF_REPLY] if isinstance(plain, str) else ""
        cut = "\n… (the rest of the reply is left out)" if isinstance(plain, str) and len(plain) > len(said) else ""
        return {"text/plain": said + cut, TURN_MIME: {"id": turn.get("id")}}
    if SECTION_MIME in data:
        return {SECTION_MIME: True}
    says_all = isinstance(plain, str) and not plain.startswith("<")
    return {mime: value for mime, value in data.items() if mime in _KEPT and not (says_all and mime == "text/html")}


def _trace(error: BaseException) -> str:
    from xcyq_magic.media.values import describe

    return str(error) if isinstance(error, XcyqError) else describe(error, _ERROR_CHARS)
