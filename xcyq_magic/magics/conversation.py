"""What is kept of a conversation: its system prompt and its turns."""

from __future__ import annotations

import time

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError
from xcyq_magic.magics.arguments import one_count
from xcyq_magic.magics.base import ExtensionMagics
from xcyq_magic.magics.prompt import expanded_text

_WORDS = 70  # characters of a prompt or a reply in the table


@magics_class
class ConversationMagics(ExtensionMagics):
    """See, take back, start afresh."""

    @line_cell_magic
    @no_var_expand
    def chat_system(self, line: str, cell: str | None = None) -> None:
        """Set the system prompt of the conversation, or show it.

        ``%chat_system TEXT`` takes the rest of its line, ``%%chat_system`` the cell below it. ``{{ expr }}`` in it is a
        Python expression, now. ``%chat_system off`` ends the system prompt, ``%chat_system`` alone shows it.

        Examples::

            %%chat_system
            You help with the statistics of {{ name }}.
            Answer in a sentence or two.

            %chat_system

            %chat_system off
        """
        text = "\n".join(t for t in (line.strip(), (cell or "").strip()) if t)
        conversation = self.session.conversation()
        if text:
            self.session.choose(conversation, system="" if text == "off" else expanded_text(self.extension, text))
        system = self.session.system_of(self.session.conversation())
        self.say(f"System prompt: {system}" if system else "No system prompt. %chat_system TEXT sets one.")

    @line_magic
    @no_var_expand
    def chat_history(self, line: str) -> None:
        """Show the turns of the conversation as a table, or one of them whole.

        Examples::

            %chat_history

            %chat_history 1
        """
        from xcyq_magic.display.bundle import completion_bundle
        from xcyq_magic.display.tables import table_bundle

        turns = self.session.conversation().turns
        number = one_count(line, "chat_history", None)
        if number is not None and number > len(turns):
            msg = f"There is no turn {number}: the conversation has {len(turns)}."
            raise InputError(msg, "%chat_history alone lists them.")
        if number is not None:
            turn = turns[number - 1]
            self.say(f"[{number}] {turn.prompt.text}")
            self.show(completion_bundle(turn.completion))
            return
        if not turns:
            self.say("No turns yet. Write %%chat on the first line of a cell, and a question below it.")
            return
        rows = [
            [
                str(n),
                time.strftime("%H:%M", time.localtime(t.asked_at)),
                _short(t.prompt.text) + _pictures(len(t.prompt.images)),
                t.completion.model,
                _short(t.completion.text) + (f" [{t.completion.partial}]" if t.completion.partial else ""),
            ]
            for n, t in enumerate(turns, 1)
        ]
        self.show(table_bundle(["turn", "at", "prompt", "model", "reply"], rows, "%chat_history N shows turn N whole."))

    @line_magic
    @no_var_expand
    def chat_undo(self, line: str) -> None:
        """Take back the last turn of the conversation, or the last N.

        A later prompt is sent as if they had never been. What stands on the page stays.

        Examples::

            %chat_undo

            %chat_undo 2
        """
        count = one_count(line, "chat_undo", 1) or 1
        conversation = self.session.conversation()
        have = len(conversation.turns)
        if count > have:
            msg = f"There {'is' if have == 1 else 'are'} {have} turn{'s' * (have != 1)} to take back, not {count}."
            raise InputError(msg, "%chat_history lists them.")
        for turn in conversation.turns[have - count :]:
            self.say(f"Took back: {_short(turn.prompt.text)}")
        self.session.keep(conversation.without_last(count))

    @line_magic
    @no_var_expand
    def chat_reset(self, line: str) -> None:
        """Start the conversation afresh: no turns, and the settings' model and system prompt.

        Examples::

            %chat_reset
        """
        if line.strip():
            msg = f"%chat_reset takes nothing after it, not {line.strip()!r}."
            raise InputError(msg, "%chat_undo N takes back some turns only.")
        count = len(self.session.conversation().turns)
        self.session.reset()
        model = self.session.model_of(self.session.conversation())
        self.say(f"Started afresh: {count} turn{'s' * (count != 1)} forgotten, and {model} answers again.")


def _pictures(count: int) -> str:
    return f" (and {count} picture{'s' * (count > 1)})" if count else ""


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _WORDS else flat[: _WORDS - 1] + "…"
