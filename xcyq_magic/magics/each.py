"""``--each``: the same prompt about each of many cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import OptionError, before_sending
from xcyq_magic.magics.base import settle
from xcyq_magic.magics.expand import evaluate, seeing
from xcyq_magic.magics.prompt import options_of, prompt_of

if TYPE_CHECKING:
    import argparse

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.rows import Case
    from xcyq_magic.display.terminal import TerminalRows
    from xcyq_magic.display.views import RowsView
    from xcyq_magic.magics.base import ExtensionMagics
    from xcyq_magic.session.cases import Cases

OUT = "_rows"
_WAY_ON = "It names what to go through: --each df, --each texts."


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
    from xcyq_magic.session.rows import Asking

    context, session = magics.context, magics.session
    for option, wrong in (("--code", options.code), ("--background", options.background)):
        if wrong:
            msg = f"{option} does not go together with --each; nothing was sent."
            raise OptionError(msg, "Leave it out: the replies are in the variable _rows.")
    turn = options_of(options, context)
    magics.check_conversation(options.conversation, begins=False)
    cases = cases_of_option(magics, options.each)
    told: set[str] = set()

    def tell(line: str) -> None:
        if line not in told:  # once for all rows
            told.add(line)
            magics.say(line)

    def message_of(case: Case) -> Message:
        with seeing(row=case.value):
            return prompt_of(context, "chat", options, text, cell, tell=tell)

    asking = Asking(session, cases, message_of, turn, conversation=options.conversation, fresh=options.fresh)
    for line in (*cases.notices, *asking.notices, str(asking.outlook)):
        magics.say(line)
    if options.dry_run:
        from xcyq_magic.display.preview import request_bundle

        magics.show(request_bundle(asking.preview()))
        return
    asking.check_limit(go=options.go)
    view = _view(magics)
    try:
        asked = asking.ask(view.paint)
        rows = asked.rows
        context.shell.push({name: rows for name in (OUT, options.out) if name})
        came = f"what came of {len(rows) - len(rows.failed)} of {len(rows)} is in {options.out or OUT}"
        error = settle(lambda: view.settle(rows), asked.error, came)
    finally:
        view.close()
    if error is not None:
        raise error


def cases_of_option(magics: ExtensionMagics, expression: str) -> Cases:
    """Return the cases that the expression behind ``--each`` names."""
    from xcyq_magic.session.cases import cases_of

    source = expression[2:-2].strip() if expression.startswith("{{") and expression.endswith("}}") else expression
    with before_sending():
        value = evaluate(magics.context.shell, source, f"--each {source}", _WAY_ON)
        return cases_of(value, source, magics.session.chat.each_limit)


@before_sending()
def _view(magics: ExtensionMagics) -> TerminalRows | RowsView:
    if magics.in_terminal:
        from xcyq_magic.display.terminal import TerminalRows

        return TerminalRows(magics.label)
    from xcyq_magic.display.views import RowsView

    return RowsView(magics.shell, magics.label, live=magics.is_watched)
