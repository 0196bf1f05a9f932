"""How a magic has one reply come: seen, kept in the user's variables, and raised if it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import OptionError, shorten_interrupt
from xcyq_magic.magics.base import ExtensionMagics

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcyq_magic.display.terminal import TerminalView
    from xcyq_magic.display.views import ReplyView
    from xcyq_magic.session.live import Paint
    from xcyq_magic.session.turn import Outcome


class TurnMagics(ExtensionMagics):
    """Magics that ask one model for one reply."""

    def run_turn(
        self,
        ask: Callable[[Paint], Outcome],
        conversation: str | None,
        *,
        out: str | None = None,
        background: bool = False,
    ) -> Outcome | None:
        """Show a reply while it comes, and then as it stays.

        Parameters
        ----------
        ask
            Sends the request and returns how it ended.
        conversation
            The name of the conversation that it is for; None if it is for none.
        out
            A variable for the completion, besides ``_reply``.
        background
            Return as soon as the reply is on its way.

        Returns
        -------
        Outcome or None
            How it ended; None in the background.
        """
        if background and self.in_terminal:
            msg = "--background needs a notebook, where a reply can go on in its cell's output; nothing was sent."
            raise OptionError(msg, "Leave it out.")
        if conversation is not None:
            self._wait_for_the_one_before(conversation)
        view = self._view(background=background)

        def finish(outcome: Outcome) -> None:
            self._publish(outcome, out)  # before the view settles, which can be interrupted
            view.settle(outcome)

        if background:
            self.extension.background.start(ask, view, finish)
            return None
        try:
            outcome = ask(view.paint)
            finish(outcome)
        finally:
            view.close()
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def _wait_for_the_one_before(self, conversation: str) -> None:
        """Here, where an interrupt ends the waiting before anything is sent."""
        coming = self.session.conversations.reply_lock(conversation)
        if coming.locked():
            self.say(f"{conversation} is in the middle of a reply in the background; this waits for its end.")
        with coming:
            pass

    def _view(self, *, background: bool) -> TerminalView | ReplyView:
        if self.in_terminal:
            from xcyq_magic.display.terminal import TerminalView

            return TerminalView(self.label, self.extension.shell.colors)
        from xcyq_magic.display.views import ReplyView

        return ReplyView(self.shell, self.label, background=background)

    def _publish(self, outcome: Outcome, out: str | None) -> None:
        """Put the completion into the user's variables."""
        if outcome.completion is not None:
            self.extension.shell.push({"_reply": outcome.completion} | ({out: outcome.completion} if out else {}))
        if isinstance(outcome.error, KeyboardInterrupt):
            kept = "what came is in _reply" if outcome.completion else "nothing had come"
            shorten_interrupt(outcome.error, f"stopped after {outcome.reply.elapsed_s:.1f} s; {kept}")
