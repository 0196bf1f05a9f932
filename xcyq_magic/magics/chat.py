"""``%%chat`` and ``%chat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.magics.arguments import options_of, parse_line, parse_words, takes, turn_options
from xcyq_magic.magics.code import put_into_next_cell
from xcyq_magic.magics.prompt import prompt_of
from xcyq_magic.magics.state import state_of
from xcyq_magic.magics.turns import TurnMagics

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.session.turn import Preview


@magics_class
class ChatMagics(TurnMagics):
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
        if options.background and options.code:
            msg = "--code and --background do not go together; nothing was sent."
            raise OptionError(msg, "%chat_code does it once the reply is there.")
        outcome = self.run_turn(
            lambda paint: self.session.ask(prompt, turn, conversation=options.conversation, cell=cell_run, paint=paint),
            None if options.once else options.conversation or self.session.conversations.current,
            out=options.out,
            background=options.background,
        )
        if options.code and outcome is not None:
            self.say(_code_into_next_cell(self.extension.shell, outcome.result()))

    @line_magic
    @no_var_expand
    @takes(argument("-m", "--model", metavar="NAME", help="Another model to ask."))
    def chat_retry(self, line: str) -> None:
        """Ask the last prompt again. The new reply takes the place of the old one.

        What is asked is the same: prompt, system prompt and parameters; and the model, unless another one is named.

        Examples::

            %chat_retry

            %chat_retry -m gpt-5.5
        """
        from xcyq_magic.session.retrying import retry

        options = parse_words(self.chat_retry, line)
        if options.words:
            msg = f"%chat_retry takes nothing but -m MODEL, not {' '.join(options.words)!r}."
            raise OptionError(msg, "To ask something else, type %chat and the question.")
        name = self.session.conversations.current
        outcome = self.run_turn(lambda paint: retry(self.session, options.model, conversation=name, paint=paint), name)
        if outcome is not None and outcome.turn is not None:
            self.say("%chat_undo --restore brings the reply before it back.")

    def _show_request(self, preview: Preview) -> None:
        from xcyq_magic.display.preview import request_bundle

        self.show(request_bundle(preview))


def _code_into_next_cell(shell: InteractiveShell, completion: Completion) -> str:
    """A line that says which code went there. That there is none is no failure of the turn."""
    try:
        return put_into_next_cell(shell, completion)
    except InputError as e:
        return e.message
