"""``%chat_error``: the last exception, with its cell and its traceback, to a model that explains it.

Nothing is sent of a failure until the user asks for it, and what is sent is shown before.
"""

from __future__ import annotations

import linecache
import sys
import traceback
from typing import TYPE_CHECKING, Any

from IPython.core.magic import line_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError, XcyqError
from xcyq_magic.magics.arguments import parse_line, turn_options
from xcyq_magic.magics.chat import ChatMagics
from xcyq_magic.magics.prompt import prompt_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_QUESTION = "What went wrong, and how do I mend it?"


class LastFailure:
    """The last exception of a cell that is not one of ours: those say by themselves what to type next."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._seen: BaseException | None = None

    def register(self) -> None:
        """Hear of each cell's end from now on."""
        self._shell.events.register("post_run_cell", self._ended)

    def unregister(self) -> None:
        """Hear of no further cell, and let go of what was held."""
        self._shell.events.unregister("post_run_cell", self._ended)
        self._seen = None

    def _ended(self, result: Any) -> None:  # noqa: ANN401  # IPython's, without types
        error = result.error_in_exec or result.error_before_exec
        if error is not None and not isinstance(error, XcyqError):
            self._seen = error

    @property
    def error(self) -> BaseException:
        """The last exception that a cell raised, other than one of this package's own.

        Raises
        ------
        InputError
            There is none.
        """
        # What failed before the extension was loaded is where Python keeps it for its debugger.
        before: BaseException | None = getattr(sys, "last_value", None)
        error = self._seen or before
        if error is None:
            msg = "No cell has failed yet, so nothing was sent."
            raise InputError(msg, "Run a cell that fails, then %chat_error.")
        if isinstance(error, XcyqError):
            msg = f"The last error, {type(error).__name__}, is of xcyq_magic itself; nothing was sent."
            raise InputError(msg, error.hint or error.message)
        return error


def failure_text(error: BaseException, chars: int) -> str:
    """An exception for a model: the cell that failed, and the traceback, each within `chars` characters."""
    from xcyq_magic.media.text.nested import clipped
    from xcyq_magic.media.values import describe

    source = _cell_of(error)
    cell = ["This cell of a notebook failed:", _fenced(clipped(source, chars), "python")] if source else []
    return "\n\n".join([*cell, "The traceback:", _fenced(describe(error, chars))])


def _cell_of(error: BaseException) -> str:
    """The source of the cell that ran, as IPython gave it to Python: its lines are those of the traceback."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    # IPython enters its cells into the cache, so that tracebacks can show their lines; they have no file's age.
    cells = (f for f in files if (entry := linecache.cache.get(f)) and len(entry) > 1 and entry[1] is None)
    first = next(cells, None)
    return "".join(linecache.getlines(first)).strip("\n") if first else ""


def _fenced(text: str, language: str = "") -> str:
    """`text` in a fence that it cannot close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"


@magics_class
class FailureMagics(ChatMagics):
    """What failed."""

    @line_magic
    @no_var_expand
    @turn_options
    def chat_error(self, line: str) -> None:
        """Ask a model about the last exception.

        The exception, a shortened traceback and the source of the cell that failed are shown, and then sent, before
        your question if there is one. No values of variables are among them. It is a turn as any other, with the
        same options; ``--dry-run`` shows what would be sent, and sends nothing.

        Examples::

            %chat_error

            %chat_error why does it work with a list, and not with an array?

            %chat_error --dry-run

            %chat_error -m claude-opus-4-7 --code
        """
        from xcyq_magic.chat.messages import Message, Text

        options, question = parse_line(self.chat_error, line)  # type: ignore[misc]  # as for %chat
        failure = failure_text(self.extension.failure.error, self.extension.chat.value_chars)
        asked = prompt_of(self.extension, "chat_error", options, question or _QUESTION, None)
        if not options.dry_run:
            self.say(failure)
        first, *rest = asked.parts  # in one part with the question, where that is text: some gateways take no other
        parts = [f"{failure}\n\n{first.text}"] if isinstance(first, Text) else [failure, first]
        self.answer(options, Message.of("user", *parts, *rest))
