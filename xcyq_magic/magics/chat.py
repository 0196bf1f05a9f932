"""``%%chat`` and ``%chat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError, short_traceback
from xcyq_magic.magics.arguments import options_of, parse_line, turn_options
from xcyq_magic.magics.base import ExtensionMagics
from xcyq_magic.magics.code import put_into_next_cell
from xcyq_magic.magics.prompt import prompt_of
from xcyq_magic.magics.state import state_of

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Message
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

        ``%%chat [options]`` takes the cell below it as the prompt, ``%chat [options] text`` the rest of its line.
        ``%chat`` alone shows the state of the conversation. ``{{ expr }}`` in the prompt is a Python expression: a
        figure, an array or a picture goes along in its place, any other value as text. The reply is also in the
        variable ``_reply``.

        Examples::

            %%chat -m claude-opus-4-7
            Which points of {{ fig }} would you look at again?

            %chat -f why is the last figure so noisy?

            %chat -a scatter.png -a df.describe() do these agree?
        """
        options, text = parse_line(self.chat, line)  # type: ignore[misc]  # IPython types its decorator too widely
        if cell is None and not line.strip():
            self.say("\n".join(state_of(self.session)))
            return
        self.answer(options, prompt_of(self.extension, "chat", options, text, cell))

    def answer(self, options: argparse.Namespace, prompt: Message) -> None:
        """Have `prompt` answered, as the options of its turn say."""
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
        if options.code:
            self.say(_code_into_next_cell(self.extension.shell, outcome.result()))

    def _show_request(self, preview: Preview) -> None:
        from xcyq_magic.display.request import request_bundle

        self.show(request_bundle(preview))

    def _view(self) -> TerminalView | ReplyView:
        if self.in_terminal:
            from xcyq_magic.display.terminal import TerminalView

            return TerminalView(self.label, self.extension.shell.colors)
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


def _code_into_next_cell(shell: InteractiveShell, completion: Completion) -> str:
    """A line that says which code went there. That there is none is no failure of the turn."""
    try:
        return put_into_next_cell(shell, completion)
    except InputError as e:
        return e.message
