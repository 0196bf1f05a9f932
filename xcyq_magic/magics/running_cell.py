"""Which cell runs, in which run of it, whatever else the kernel runs meanwhile."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.chat.conversation import CellRun

_Request = tuple[str, str]  # the id of its cell, and its own: what a `CellRun` is made of, once somebody asks


class CellRuns:
    """Tells the run of a cell that the code belongs to that asks: the request to execute that brought it about.

    A request may execute further cells (``run_cell``, ``%rerun``), and start tasks and threads that go on while other
    requests are executed. A task has its run in its context. A thread has an empty one, so those that a request
    started are noted when it ends, and before the next one begins.

    Parameters
    ----------
    shell
        Whose cells run.
    sources
        The sources of the cells that ran, by their ids, None for one that is not known; further ones are added.
    """

    def __init__(self, shell: InteractiveShell, sources: dict[str, str | None]) -> None:
        self.sources = sources
        self._shell = shell
        self._home = threading.current_thread()
        # Of this object, not of the module: a context keeps what was not taken back before `unregister`.
        self._within: ContextVar[tuple[_Request | None, ...]] = ContextVar("xcyq_magic_cell_runs", default=())
        self._last: _Request | None = None
        self._threads: WeakKeyDictionary[threading.Thread, _Request | None] = WeakKeyDictionary()

    def register(self) -> None:
        """Hear of each request from now on."""
        self._note_threads()  # nobody knows who started them
        self._last = _requested(self._shell)
        if self._last is not None:
            self.sources.setdefault(self._last[0], None)
        self._shell.events.register("pre_execute", self._begin)
        self._shell.events.register("pre_run_cell", self._note_source)
        self._shell.events.register("post_execute", self._end)

    def unregister(self) -> None:
        """Hear of no further request."""
        self._shell.events.unregister("pre_execute", self._begin)
        self._shell.events.unregister("pre_run_cell", self._note_source)
        self._shell.events.unregister("post_execute", self._end)

    @property
    def cell_id(self) -> str | None:
        """The id of the cell that this code belongs to; None where it belongs to none, or cells have no ids."""
        request = self._request()
        return request[0] if request else None

    @property
    def run_id(self) -> str | None:
        """The id of the run of the cell that this code belongs to; None as for the cell's."""
        request = self._request()
        return request[1] if request else None

    @property
    def current(self) -> CellRun | None:
        """The run of a cell that this code belongs to; None as for its id."""
        from xcyq_magic.chat.conversation import CellRun

        request = self._request()
        return CellRun(*request, self.sources.get(request[0])) if request else None

    def _request(self) -> _Request | None:
        if within := self._within.get():
            return within[-1]
        thread = threading.current_thread()
        if thread is self._home or type(thread).__module__.startswith("ipykernel."):  # where requests are handled
            return _requested(self._shell)
        return self._threads.setdefault(thread, self._last)

    def _begin(self) -> None:
        self._note_threads()
        self._last = _requested(self._shell)
        self._within.set((*self._within.get(), self._last))

    def _end(self) -> None:
        self._note_threads()
        within = self._within.get()[:-1]  # none within an `await`: that had a context of its own
        self._within.set(within)
        self._last = within[-1] if within else None

    def _note_threads(self) -> None:
        for thread in threading.enumerate():
            self._threads.setdefault(thread, self._last)

    def _note_source(self, info: Any) -> None:  # noqa: ANN401  # IPython's, without types
        *before, request = self._within.get()
        if request is not None and request not in before:  # a cell that runs others has its own source
            self.sources[request[0]] = info.raw_cell


def _requested(shell: InteractiveShell) -> _Request | None:
    """Return the shell's latest request; None if it is not one of a cell with an id."""
    parent = getattr(shell, "parent_header", None) or {}
    cell_id, request_id = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id", "")
    return (cell_id, request_id) if isinstance(cell_id, str) and cell_id else None
