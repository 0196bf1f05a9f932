"""``%chat_error``: the last exception, with its cell and its traceback, to a model that explains it.

Nothing is sent of a failure until the user asks for it, and what is sent is shown before.
"""

from __future__ import annotations

import linecache
import traceback
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class, no_var_expand

from xcyq_magic.magics.arguments import parse_line, turn_options
from xcyq_magic.magics.chat import ChatMagics
from xcyq_magic.magics.prompt import prompt_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.magics.context import LastFailure

_QUESTION = "What went wrong, and how do I mend it?"


def failure_text(failure: LastFailure, chars: int, hide: Callable[[str], str]) -> str:
    """Return a failure for a model: the cell as it was typed, and the traceback.

    Parameters
    ----------
    failure
        What failed.
    chars
        The most characters of each.
    hide
        Takes the keys out of a text.
    """
    from xcyq_magic.media.text.nested import clipped
    from xcyq_magic.media.values import describe

    error = failure.error
    source = failure.cell.strip("\n") or _cell_of(error)
    cell = ["This cell of a notebook failed:", _fenced(clipped(hide(source), chars), "python")] if source else []
    return "\n\n".join([*cell, "The traceback:", _fenced(hide(describe(error, chars)))])


def _cell_of(error: BaseException) -> str:
    """Return the source of the cell that ran, as IPython gave it to Python; nobody noted how it was typed."""
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
        failure = failure_text(self.context.failure, self.context.chat.value_chars, self.session.access.hide)
        asked = prompt_of(self.context, "chat_error", options, question or _QUESTION, None)
        if not options.dry_run:
            self.say(failure)
        first, *rest = asked.parts  # in one part with the question, where that is text: some gateways take no other
        parts = [f"{failure}\n\n{first.text}"] if isinstance(first, Text) else [failure, first]
        self.answer(options, Message.of("user", *parts, *rest))
