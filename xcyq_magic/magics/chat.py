"""``%%chat`` and ``%chat``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError, short_traceback
from xcyq_magic.magics.arguments import options_of, parse_line, turn_options
from xcyq_magic.magics.base import ExtensionMagics
from xcyq_magic.magics.prompt import prompt_of

if TYPE_CHECKING:
    from xcyq_magic.display.terminal import TerminalView
    from xcyq_magic.display.views import ReplyView
    from xcyq_magic.turn import Outcome, Preview


@magics_class
class ChatMagics(ExtensionMagics):
    """One turn of a conversation."""

    @line_cell_magic
    @no_var_expand
    @turn_options
    def chat(self, line: str, cell: str | None = None) -> None:
        """Say something to a model, and see its reply come.

        ``%%chat [options]`` takes the cell below it as the prompt, ``%chat [options] text`` the
        rest of its line. ``%chat`` alone shows the state of the conversation.

        ``{{ expr }}`` in the prompt is a Python expression: a figure, an array or a picture goes along in
        its place, any other value as text. The reply is also in the variable ``_reply``. Examples::

            %%chat -m claude-opus-4-7
            Which points of {{ fig }} would you look at again?

            %chat -f why is the last figure so noisy?

            %chat -a scatter.png -a df.describe() do these agree?
        """
        options, text = parse_line(self.chat, line)  # type: ignore[misc]  # IPython types its decorator too widely
        if cell is None and not line.strip():
            self._show_state()
            return
        prompt = prompt_of(self.extension, "chat", options, text, cell)
        turn = options_of(options, self.extension)
        cell_run = self.extension.cell
        if options.dry_run:
            self._show_request(self.session.preview(prompt, turn, conversation=options.conversation, cell=cell_run))
            return
        view = self._view()
        try:
            outcome = self.session.ask(prompt, turn, conversation=options.conversation, cell=cell_run, paint=view.paint)
            self._publish(outcome, options.out)  # before the view settles, which can be interrupted
            view.settle(outcome)
        finally:
            view.close()
        if outcome.error is not None:
            raise outcome.error

    def _show_request(self, preview: Preview) -> None:
        from xcyq_magic.display.request import request_bundle

        self.show(request_bundle(preview))

    def _view(self) -> TerminalView | ReplyView:
        if self.in_terminal:
            from xcyq_magic.display.terminal import TerminalView

            return TerminalView(self.label)
        from xcyq_magic.display.views import ReplyView

        return ReplyView(self.shell, self.label)

    def _publish(self, outcome: Outcome, out: str | None) -> None:
        """Put the completion into the user's variables."""
        if outcome.completion is not None:
            self.extension.shell.push({"_reply": outcome.completion} | ({out: outcome.completion} if out else {}))
        if isinstance(outcome.error, KeyboardInterrupt):
            kept = "what came is in _reply" if outcome.completion else "nothing had come"
            lines = short_traceback("KeyboardInterrupt", f"stopped after {outcome.reply.elapsed_s:.1f} s; {kept}")
            # An interrupted cell, without the traceback through our waiting.
            outcome.error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]  # IPython's hook

    def _show_state(self) -> None:
        session = self.session
        conversation = session.conversation()
        count = len(conversation.turns)
        try:
            key = f"from {session.access.key().source}"
        except InputError as e:
            key = str(e).replace("\n", " ")
        turns = f"{count} turn{'s' * (count != 1)}"
        self.say(f"Conversation: {conversation.name}, {turns}, model {session.model_of(conversation)}")
        address = re.sub(r"//[^/@]*@", "//", session.access.base_url)  # without a password, should it hold one
        self.say(f"Gateway: {address}{' (the sandbox)' if session.access.sandbox else ''}")
        self.say(f"API key: {key}")
        self.say("%chat? lists the options; %chat_history shows the turns.")
