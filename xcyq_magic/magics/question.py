"""Lets ``%chat why is this slow?`` be a prompt, although IPython takes a line that ends in ``?`` as help."""

from __future__ import annotations

import re
import tokenize
from typing import TYPE_CHECKING

from IPython.core.inputtransformer2 import TokenTransformBase

if TYPE_CHECKING:
    from collections.abc import Sequence

# With white space after the name: `%chat?` is still the call for help.
_QUESTION = re.compile(r"(?P<indent>[ \t]*)%(?P<name>chat|chat_system)[ \t]+(?P<text>[^ \t\n].*\?)[ \t]*\r?\n?")
_NO_CODE = {tokenize.INDENT, tokenize.DEDENT, tokenize.NL, tokenize.COMMENT}


class MagicQuestion(TokenTransformBase):
    """Finds such a line where it is code, not within a string, and turns it into a call of the magic."""

    priority = 4  # before IPython's own transformer for `?`, which has 5

    @classmethod
    def find(cls, tokens_by_line: Sequence[Sequence[tokenize.TokenInfo]]) -> MagicQuestion | None:
        """The first such line of the cell."""
        for tokens in tokens_by_line:
            first = next((t for t in tokens if t.type not in _NO_CODE), None)
            if first is not None and first.string == "%" and _QUESTION.fullmatch(first.line):
                return cls(first.start)
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """The cell with the line found replaced by Python."""
        found = _QUESTION.fullmatch(lines[self.start_line])
        if found is None:
            msg = "the line is no question to a magic"
            raise SyntaxError(msg)
        call = f"{found['indent']}get_ipython().run_line_magic({found['name']!r}, {found['text']!r})\n"
        return [*lines[: self.start_line], call, *lines[self.start_line + 1 :]]
