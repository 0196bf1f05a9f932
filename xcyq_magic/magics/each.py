"""``--each``: the same prompt about each of many cases."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import ExpressionError, InputError, OptionError, before_sending
from xcyq_magic.magics.base import settle
from xcyq_magic.magics.expand import evaluate, seeing
from xcyq_magic.magics.prompt import cells_of, options_of, prompt_of, with_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.chat.rows import Case
    from xcyq_magic.display.terminal import TerminalMatrix, TerminalRows
    from xcyq_magic.display.views import MatrixView, RowsView
    from xcyq_magic.magics.base import ExtensionMagics
    from xcyq_magic.session.asking import Asking
    from xcyq_magic.session.cases import Cases

_ROWS, _COMPARISON = "_rows", "_comparison"
_CHECK = "It takes a function: --check is_right, with def is_right(reply, case): return case.answer in reply.text"
_WAY_ON = "It takes a data frame, a list or a mapping: --each df, --each texts."


def answer_each(magics: ExtensionMagics, options: argparse.Namespace, text: str, cell: str | None) -> None:
    """Ask about each case that ``--each`` names, as the options of the turn say, and show the rows.

    Parameters
    ----------
    magics
        Whose shell and session it is.
    options
        The options of a turn.
    text, cell
        What follows them on the magic's line, and the cell below it; None for a line magic.
    """
    from xcyq_magic.session.asking import Asking

    for option, wrong in (("--code", options.code), ("--background", options.background)):
        if wrong:
            msg = f"{option} does not go together with --each; nothing was sent."
            raise OptionError(msg, f"Leave it out: the replies are in the variable {_ROWS}.")
    prompts = Prompts(magics, "chat", options, text, cell)
    asking = Asking(
        magics.session,
        prompts.cases,
        prompts.message_of,
        options_of(options, magics.context),
        conversation=options.conversation,
        fresh=options.fresh,
    )
    if not prompts.may_go(asking):
        return
    view = rows_view(magics)
    try:
        asked = asking.ask(view.paint)
        rows = asked.rows
        error = prompts.settle(rows, _ROWS, lambda: view.settle(rows), asked.error)
    finally:
        view.close()
    if error is not None:
        raise error


def compare_each(magics: ExtensionMagics, options: argparse.Namespace, cell: str) -> None:
    """Ask several models about each case that ``--each`` names, score their replies, and show how they did.

    Parameters
    ----------
    magics
        Whose shell and session it is.
    options
        Those of a comparison.
    cell
        The cell below its line.
    """
    from xcyq_magic.session.evaluating import Evaluating

    for option, wrong in (("--diff", options.diff), ("--repeat", options.repeat != 1)):
        if wrong:
            msg = f"{option} does not go together with --each; nothing was sent."
            raise OptionError(msg, "Leave it out: where models differ is shown below the table.")
    check: Any = None  # whatever the expression gives; what is no function is refused
    if options.check is not None:
        check = evaluate(magics.context.shell, options.check, f"--check {options.check}", _CHECK)
    prompts = Prompts(magics, "compare", options, "", cell)
    asking = Evaluating(
        magics.session,
        options.models,
        prompts.cases,
        prompts.message_of,
        options_of(options, magics.context),
        check=check,
        judge=options.judge,
        conversation=options.conversation,
        fresh=options.fresh,
    )
    if not prompts.may_go(asking):
        return
    view = matrix_view(magics)
    try:
        evaluated = asking.evaluate(view.paint)
        found = evaluated.evaluation
        error = prompts.settle(found, _COMPARISON, lambda: view.settle(found), evaluated.error)
    finally:
        view.close()
    if error is not None:
        raise error


class Prompts:
    """The prompts of a cell that asks about each of many cases.

    Parameters
    ----------
    magics
        Whose shell and session it is.
    magic
        The magic's name.
    options
        Its options.
    text, cell
        What follows them on its line, and the cell below it; None for a line magic.

    Attributes
    ----------
    cases
        What ``--each`` names.
    """

    def __init__(
        self, magics: ExtensionMagics, magic: str, options: argparse.Namespace, text: str, cell: str | None
    ) -> None:
        magics.check_conversation(options.conversation, begins=False)
        self._magics = magics
        self._options = options
        # The same cells for all rows.
        self._above = None if options.above is None else cells_of(magics.context, options)
        if self._above and not options.dry_run:
            magics.say_what_goes_along(with_cells(Message.of("user"), *self._above))
        self._typed = (magic, argparse.Namespace(**{**vars(options), "above": None}), text, cell)
        self._told: set[str] = set()
        self.cases = cases_of_option(magics, options.each, go=options.go)

    def message_of(self, case: Case) -> Message:
        """Return the prompt about a case, which its expressions see as ``row``."""
        with seeing(row=case.value):
            prompt = prompt_of(self._magics.context, *self._typed, tell=self._tell)
        return with_cells(prompt, *self._above) if self._above else prompt

    def _tell(self, line: str) -> None:
        if line not in self._told:  # once for all rows
            self._told.add(line)
            self._magics.say(line)

    def may_go(self, asking: Asking) -> bool:
        """Say what will happen; return whether it is to be sent.

        Raises
        ------
        OptionError
            It is more than is sent without ``--go``.
        """
        for line in (*self.cases.notices, *asking.notices, str(asking.outlook)):
            self._magics.say(line)
        if self._options.dry_run:
            from xcyq_magic.display.bundle import request_bundle

            self._magics.show(request_bundle(asking.preview()))
        try:
            asking.check_limit(go=self._options.go)
        except OptionError as e:
            if not self._options.dry_run:
                raise
            self._magics.say(str(e))
        return not self._options.dry_run

    def settle(
        self, found: object, name: str, show: Callable[[], None], error: BaseException | None
    ) -> BaseException | None:
        """Put what came into its variables and show it; return what the cell has to raise.

        Parameters
        ----------
        found
            What came.
        name
            The variable for it, besides that of ``-o``.
        show
            Settles the view.
        error
            What the cell has to raise in any case; None if nothing.
        """
        out = self._options.out
        self._magics.context.shell.push({n: found for n in (name, out) if n})
        return settle(show, error, f"what came is in {out or name}")[0]


def cases_of_option(magics: ExtensionMagics, expression: str, *, go: bool) -> Cases:
    """Return the cases that the expression behind ``--each`` names."""
    from xcyq_magic.session.cases import cases_of

    source = expression[2:-2].strip() if expression.startswith("{{") and expression.endswith("}}") else expression
    with before_sending():
        value = evaluate(magics.context.shell, source, f"--each {source}", _WAY_ON)
        try:
            return cases_of(value, source, magics.session.chat.each_limit, go=go)
        except InputError:
            raise
        except Exception as e:  # whatever a user's generator raises
            msg = f"--each {source} failed: {type(e).__name__}: {e}; nothing was sent."
            raise ExpressionError(msg, _WAY_ON) from e


@before_sending()
def rows_view(magics: ExtensionMagics) -> TerminalRows | RowsView:
    """Return what shows rows."""
    if magics.in_terminal:
        from xcyq_magic.display.terminal import TerminalRows

        return TerminalRows(magics.label)
    from xcyq_magic.display.views import RowsView

    return RowsView(magics.shell, magics.label, live=magics.is_watched)


@before_sending()
def matrix_view(magics: ExtensionMagics) -> TerminalMatrix | MatrixView:
    """Return what shows models over cases."""
    if magics.in_terminal:
        from xcyq_magic.display.terminal import TerminalMatrix

        return TerminalMatrix(magics.label, magics.context.shell.colors)
    from xcyq_magic.display.views import MatrixView

    return MatrixView(magics.shell, magics.label, live=magics.is_watched)
