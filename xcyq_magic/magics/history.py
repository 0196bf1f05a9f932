"""What a conversation is made of: its system prompt and its turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError
from xcyq_magic.magics.arguments import parse_words, takes
from xcyq_magic.magics.base import ExtensionMagics, count, day_and_time
from xcyq_magic.magics.counts import one_count, whole_number
from xcyq_magic.magics.prompt import expanded_text

if TYPE_CHECKING:
    from xcyq_magic.chat.conversation import Conversation, Turn

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
        if text:
            name = self.session.conversations.current  # the expressions in the text may change it
            self.session.choose(name, system="" if text == "off" else expanded_text(self.extension, text))
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

        conversation = self.session.conversation()
        turns = conversation.turns
        number = one_count(line, "chat_history", None)
        if number is not None and number > len(turns):
            msg = f"There is no turn {number}: the conversation has {len(turns)}."
            raise InputError(msg, "%chat_history alone lists them.")
        if number is not None:
            turn = turns[number - 1]
            self.say(f"[{number}] {turn.prompt.overview}")
            self.show(completion_bundle(turn.completion))
            return
        if not turns:
            self.say("No turns yet. Write %%chat on the first line of a cell, and a question below it.")
            return
        outdated = conversation.outdated
        rows = [
            [
                f"{n} *" if n - 1 in outdated else str(n),
                day_and_time(t.asked_at),
                _short(t.prompt.overview),
                t.completion.model,
                _short(t.completion.text) + (f" [{t.completion.partial}]" if t.completion.partial else ""),
            ]
            for n, t in enumerate(turns, 1)
        ]
        note = "* is older than what it follows: run its cell again to ask anew. " if outdated else ""
        self.show(
            table_bundle(["turn", "at", "prompt", "model", "reply"], rows, f"{note}%chat_history N shows turn N whole.")
        )

    @line_magic
    @no_var_expand
    @takes(
        argument(
            "--turn",
            type=whole_number,
            metavar="N",
            help="Take back turn N of the history alone, such as one whose cell is gone.",
        ),
        argument("--restore", action="store_true", help="Bring back what was last taken back, or asked again."),
    )
    def chat_undo(self, line: str) -> None:
        """Take back the last turn of the conversation, or the last N.

        A later prompt is sent as if they had never been. What stands on the page stays, and so does what is in the
        store: ``--restore`` brings back what the last ``%chat_undo`` or ``%chat_retry`` took.

        Examples::

            %chat_undo

            %chat_undo --restore

            %chat_undo 2

            %chat_undo --turn 1
        """
        options = parse_words(self.chat_undo, line)
        conversation = self.conversation_at_rest()
        turns = conversation.turns
        if options.restore:
            self._restore(conversation)
            return
        if options.turn is not None:
            if not 1 <= options.turn <= len(turns):
                msg = f"There is no turn {options.turn}: the conversation has {len(turns)}."
                raise InputError(msg, "%chat_history lists them.")
            wanted = turns[options.turn - 1 : options.turn]
        else:
            number = one_count(" ".join(options.words), "chat_undo", 1) or 1
            if number > len(turns):
                verb = "is" if len(turns) == 1 else "are"
                msg = f"There {verb} {count(len(turns), 'turn')} to take back, not {number}."
                raise InputError(msg, "%chat_history lists them.")
            wanted = turns[-number:]
        gone = self.session.conversations.take_back(conversation.name, lambda now: now.without(wanted))
        for turn in gone:
            self.say(f"Took back: {_short(turn.prompt.overview)}")
        self.say(f"%chat_undo --restore brings {'it' if len(gone) == 1 else 'them'} back.")

    def _restore(self, conversation: Conversation) -> None:
        back = self.session.conversations.restore(conversation.name)
        if not back:
            msg = "Nothing was taken back since the kernel started, or all of it is back."
            raise InputError(msg, "%chat_switch lists the conversations that were set aside.")
        for turn in back:
            self.say(f"Brought back: {_short(turn.prompt.overview)} ({turn.completion.model})")
        now = self.session.conversation(conversation.name).turns
        again = [n for n, t in enumerate(now, 1) if any(_same_question(t, b) for b in back)]
        if again:
            self.say(f"Turn {again[0]} asks the same, and stays: %chat_undo --turn {again[0]} takes it back.")

    @line_magic
    @no_var_expand
    def chat_reset(self, line: str) -> None:
        """Start the conversation afresh: no turns, and the settings' model and system prompt.

        The one until now stays in the store; ``%chat_switch`` brings it back.

        Examples::

            %chat_reset
        """
        if line.strip():
            msg = f"%chat_reset takes nothing after it, not {line.strip()!r}."
            raise InputError(msg, "%chat_undo N takes back some turns only.")
        old = self.session.reset(self.conversation_at_rest().name)
        model = self.session.model_of(self.session.conversation())
        if old is None:
            self.say(f"There was nothing to forget. {model} answers.")
            return
        self.say(
            f"Started afresh: {count(old.turns, 'turn')} set aside, and {model} answers again. "
            f"%chat_switch {old.id} brings {'it' if old.turns == 1 else 'them'} back."
        )


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _WORDS else flat[: _WORDS - 1] + "…"


def _same_question(turn: Turn, other: Turn) -> bool:
    return turn.id != other.id and (turn.prompt, turn.cell) == (other.prompt, other.cell)
