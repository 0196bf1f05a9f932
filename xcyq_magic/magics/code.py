"""``%chat_code``: the code of a reply, in a cell of its own, for the user to read and to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError
from xcyq_magic.magics.base import ExtensionMagics
from xcyq_magic.magics.line import one_count

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.chat.completion import Completion


@magics_class
class CodeMagics(ExtensionMagics):
    """What a reply wrote for the notebook."""

    @line_magic
    @no_var_expand
    def chat_code(self, line: str) -> None:
        """Put the Python code of the last reply into the next cell. It is not run.

        All of its Python blocks are joined, with a blank line between; ``%chat_code N`` takes block N only. Blocks
        are counted as they stand in the reply, in whatever language. The code is also in ``_reply.code``.

        Examples::

            %chat_code

            %chat_code 1

            %chat --code how do I read a CSV file?
        """
        number = one_count(line, "chat_code", None, "the number of a block")
        self.say(put_into_next_cell(self.context.shell, self._last_reply(), number))

    def _last_reply(self) -> Completion:
        """The reply in ``_reply``, else the one of the conversation's last turn."""
        from xcyq_magic.chat.completion import Completion

        reply = self.context.shell.user_ns.get("_reply")
        if isinstance(reply, Completion):
            return reply
        turns = self.session.conversation().turns
        if not turns:
            msg = "There is no reply yet to take code from."
            raise InputError(msg, "Ask first: %chat how do I read a CSV file?")
        return turns[-1].completion


def put_into_next_cell(shell: InteractiveShell, completion: Completion, number: int | None = None) -> str:
    """Offer the code of a reply as the next cell, or at the next prompt of a terminal; returns a line that says so.

    Raises
    ------
    InputError
        There is no such code.
    """
    from xcyq_magic.chat.completion import code_blocks

    blocks = dict(enumerate(code_blocks(completion.text), 1))
    if number is not None and number not in blocks:
        msg = f"The reply has {_count(len(blocks), 'code')}, so there is no block {number}."
        raise InputError(msg, "%chat_code alone takes all Python blocks.")
    wanted = blocks if number is None else {number: blocks[number]}
    python = {n: b.code for n, b in wanted.items() if b.is_python}
    others = ", ".join(f"block {n} is {b.language or 'text'}" for n, b in wanted.items() if n not in python)
    if not python:
        broke_off = " It broke off before a block was closed." if completion.partial and not blocks else ""
        msg = f"The reply has no Python code: {others or 'it has no block of code'}.{broke_off}"
        raise InputError(msg, "Ask for it: %chat --code write that as Python.")
    shell.set_next_input("\n\n".join(code.strip("\n") for code in python.values()))
    left_out = f" Left out: {others}." if others else ""
    return f"{_count(len(python), 'Python')} of the reply, in the next cell. Read it before you run it.{left_out}"


def _count(count: int, kind: str) -> str:
    return f"{count} {kind} block{'s' * (count != 1)}"
