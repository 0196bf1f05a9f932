"""What a conversation is made of: its system prompt and its turns."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.magics.arguments import parse_line, parse_words, takes
from xcyq_magic.magics.base import ExtensionMagics, check_no_variable, count, day_and_time, shortened
from xcyq_magic.magics.expand import in_callers_scope
from xcyq_magic.magics.line import is_whole, one_count, unquote, whole_number
from xcyq_magic.magics.prompt import expanded_text

if TYPE_CHECKING:
    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.store.summaries import Summary


_WORDS = 70  # characters of a prompt or a reply in the table
_FEWEST = 4  # characters of an id that may stand for it
_ALL = "all"
_QUOTED = re.compile("\\s*(?:\"[^\"]*\"|'[^']*')\\s*")  # all of a text

_REMOVES = {"none", "clear", "remove", "delete", "reset", "null", "no", "empty", "default"}  # is said for `off`


@magics_class
class ConversationMagics(ExtensionMagics):
    """See, take back, start afresh."""

    @line_cell_magic
    @no_var_expand
    @in_callers_scope
    @takes(argument("--raw", action="store_true", help="Take the text as it is typed, {{ }} and all."), text=True)
    def chat_system(self, line: str, cell: str | None = None) -> None:
        """Set the system prompt of the conversation, or show it.

        ``%chat_system TEXT`` takes the rest of its line, ``%%chat_system`` the cell below it. ``{{ expr }}`` in it is a
        Python expression, evaluated now. ``%chat_system off`` removes the system prompt, ``%chat_system`` alone shows
        it.

        Examples::

            %%chat_system
            You help with the statistics of {{ name }}.
            Answer in a sentence or two.

            %chat_system

            %chat_system off

            %chat_system --raw Write templates of Jinja, such as {{ name }}.
        """
        options, first = parse_line(self.chat_system, line, cell)
        quoted = cell is None and _QUOTED.fullmatch(first) is not None
        first = unquote(first) if quoted else first
        text = "\n".join(t for t in (first.strip(), (cell or "").strip()) if t)
        if text.lower() in _REMOVES and not options.raw and not quoted:
            msg = f"A system prompt of the one word {text} is hardly meant, so nothing was set."
            raise OptionError(msg, f"%chat_system off removes the system prompt; %chat_system --raw {text} sets it.")
        text = text or ("off" if quoted else "")
        if text:
            name = self.session.conversations.current  # the expressions in the text may change it
            if not options.raw:
                text = "" if text == "off" else expanded_text(self.context, text)
            self.session.choose(name, system=text)
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
        from xcyq_magic.display.bundle import kept_turn_bundle
        from xcyq_magic.display.caption import joined, who
        from xcyq_magic.display.metrics import table_bundle

        conversation = self.session.conversation()
        turns = conversation.turns
        number = one_count(line, "chat_history", None, "the number of a turn")
        if number is not None:
            _check_number(number, conversation)
            turn = turns[number - 1]
            self.show(kept_turn_bundle(turn, joined(f"Turn {number} of {len(turns)}", day_and_time(turn.asked_at))))
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
                who(t.completion.requested_model, [t.completion.model]),
                _short(t.completion.text) + (f" [{t.completion.partial}]" if t.completion.partial else ""),
            ]
            for n, t in enumerate(turns, 1)
        ]
        note = "* is older than a turn above it: run its cell again to ask again. " if outdated else ""
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
            help="Take back only turn N of the history, for example one whose cell is gone.",
        ),
        argument(
            "--restore", action="store_true", help="Bring back what was last taken back, asked again or replaced."
        ),
    )
    def chat_undo(self, line: str) -> None:
        """Take back the last turn of the conversation, or the last N.

        Later prompts are sent without them. The page stays as it is, and so does the store. ``--restore`` brings back
        what the last ``%chat_undo``, ``%chat_retry``, or run of a cell without a complete reply took away; after
        those, what the last run of each cell replaced.

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
            _check_number(options.turn, conversation)
            wanted = turns[options.turn - 1 : options.turn]
        else:
            number = one_count(" ".join(options.words), "chat_undo", 1) or 1
            if not turns:
                msg = f"{conversation.name} has no turn to take back."
                raise InputError(msg, "%chat_switch lists the conversations that have some.")
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
        """Start afresh: no turns, and the model and system prompt of the settings.

        The old conversation stays in the store; ``%chat_switch`` brings it back.

        Examples::

            %chat_reset
        """
        if line.strip():
            msg = f"%chat_reset takes nothing after it, not {line.strip()!r}."
            raise InputError(msg, "%chat_undo N takes back some turns only.")
        before = self.conversation_at_rest()
        old = self.session.reset(before.name)
        now = self.session.conversation()
        model = self.session.model_of(now) + (", with a system prompt" if self.session.system_of(now) else "")
        if before.system and not now.system:
            model += ", and the system prompt of the conversation is no more"
        if old is None:
            self.say(f"There were no turns to set aside. The model is {model}.")
            return
        self.say(
            f"Started afresh: {count(old.turns, 'turn')} set aside; the model is {model}. "
            f"%chat_switch {old.id} brings {'it' if old.turns == 1 else 'them'} back."
        )


def _forked_anew(forked: Conversation, now: Conversation, origin: Conversation) -> Conversation:
    """Return a fork as it would be made now, with the turns behind it that it got since.

    Parameters
    ----------
    forked
        What it would be.
    now
        The fork as it stands.
    origin
        The conversation that it comes from.
    """
    ids = {t.id for t in origin.turns}
    cells = {t.cell.cell_id for t in forked.turns if t.cell}
    own = [t for t in now.turns if t.id not in ids and not (t.cell and t.cell.cell_id in cells)]
    return replace(forked, turns=(*forked.turns, *own))


def _check_number(number: int, conversation: Conversation) -> None:
    """See to it that a conversation has a turn of that number, from 1.

    Raises
    ------
    InputError
        It has none.
    """
    turns, name = len(conversation.turns), conversation.name
    if 1 <= number <= turns:
        return
    if not turns:
        msg = f"There is no turn {number}: {name} has none."
        raise InputError(msg, "Write %%chat on the first line of a cell, and a question below it.")
    msg = f"There is no turn {number}: {name} has {count(turns, 'turn')}."
    raise InputError(msg, "%chat_history lists them.")


def _short(text: str) -> str:
    return shortened(text, _WORDS)


def _same_question(turn: Turn, other: Turn) -> bool:
    cells = [t.cell and t.cell.cell_id for t in (turn, other)]
    return turn.id != other.id and turn.prompt == other.prompt and cells[0] == cells[1]


@magics_class
class SwitchMagics(ExtensionMagics):
    """Go from one conversation to another."""

    @line_magic
    @no_var_expand
    @takes(
        argument("--new", action="store_true", help="Begin a conversation, called NAME if one is given."),
        argument(
            "--fork",
            metavar="[N]",
            nargs="?",
            const=_ALL,
            help="Begin one with the first N turns of this one, or with all.",
        ),
    )
    def chat_switch(self, line: str) -> None:
        """Go to another conversation of the notebook, or list them all.

        The list also shows conversations that were set aside, and those of other notebooks, with their ids. An id works
        like a name.

        Examples::

            %chat_switch --new idea

            %chat_switch main

            %chat_switch --fork 2 other-idea

            %chat_switch
        """
        options = parse_words(self.chat_switch, line)
        words, fork = options.words, options.fork
        if fork not in {None, _ALL} and not is_whole(fork):  # the name, which argparse takes for the number
            words, fork = [fork, *words], _ALL
        name = " ".join(words)
        if len(words) > 1 or not name.isprintable():
            msg = f"A conversation's name is one word, not {name!r}."
            raise OptionError(msg, "Try %chat_switch --new idea.")
        conversations, before = self.session.conversations, self.session.conversation()
        again = conversations.begun_by_cell(name) if options.new or fork is not None else None
        if fork is not None:
            now = self._fork(before, fork, again or name, again=again is not None)
        elif options.new:
            now = conversations.switch(again or self._new_name(name, before), begins=True)
        elif name:
            now = self._find(name)
        else:
            self._list()
            return
        model = self.session.model_of(now)
        self.say(f"The conversation is {now.name} now: {count(len(now.turns), 'turn')}, model {model}.")
        if again is not None:
            self.say(f"{again} is there from an earlier run of this cell, and goes on.")
        if now.name != before.name:
            self.say(f"%chat_switch {before.name} goes back.")

    def _new_name(self, name: str, before: Conversation) -> str:
        check_no_variable(name, "; nothing was changed")
        if name and self.session.conversations.has(name):
            msg = f"There is a conversation called {name} already."
            raise InputError(msg, f"%chat_switch {name} goes there.")
        return name or self.session.conversations.unused_name(before.name)

    def _fork(self, before: Conversation, number: str, name: str, *, again: bool) -> Conversation:
        turns = before.turns if number == _ALL else before.turns[: int(number)]
        if number != _ALL:
            _check_number(int(number), before)
        conversations = self.session.conversations
        if not again:
            forked = replace(before, name=self._new_name(name, before), turns=turns)
            conversations.begin(forked)
            return conversations.switch(forked.name, begins=True)
        if name != before.name:
            forked = replace(before, name=name, turns=turns)
            conversations.take_back(name, lambda now: _forked_anew(forked, now, before))
        return conversations.switch(name, begins=True)

    def _find(self, name: str) -> Conversation:
        conversations = self.session.conversations
        if conversations.has(name):
            return conversations.switch(name)
        known = conversations.summaries()
        found = [s for s in known if len(name) >= _FEWEST and s.id.startswith(name)]
        if len(found) == 1:
            return conversations.adopt(found[0])
        if same := [s.id for s in known if s.name == name]:
            msg = f"No open conversation of this notebook is called {name}."
            raise InputError(msg, f"The list has it under its id: {' or '.join(f'%chat_switch {i}' for i in same[:3])}")
        msg = f"There is no conversation called {name}."
        near = difflib.get_close_matches(name, [s.name for s in known], n=1)
        hint = f"Did you mean {near[0]}? " if near else f"%chat_switch --new {name} begins one. "
        raise InputError(msg, f"{hint}%chat_switch alone lists them.")

    def _list(self) -> None:
        from xcyq_magic.display.metrics import table_bundle

        conversations = self.session.conversations
        rows = [self._row(s) for s in conversations.summaries()]
        if not rows:
            self.say(f"There is only {conversations.current}, with nothing in it. %chat_switch --new NAME begins one.")
            return
        note = (
            "%chat_switch NAME or ID goes there; --new begins one, --fork [N] one with the first N turns of this one."
        )
        self.show(table_bundle(["notebook", "name", "id", "turns", "last turn", "state"], rows, note))

    def _row(self, summary: Summary) -> list[str]:
        conversations = self.session.conversations
        here = conversations.is_mine(summary)  # not by its notebook: kernels that ended had none either
        notebook = _from_here(summary.notebook, conversations.path) if summary.notebook else "none"
        if here:
            notebook = "this one" if conversations.path else "none, this kernel"
        current = here and not summary.set_aside and summary.name == conversations.current
        return [
            notebook,
            summary.name,
            summary.id,
            str(summary.turns),
            day_and_time(summary.last_turn_at),
            "set aside" if summary.set_aside else "here" if current else "",
        ]


def _from_here(path: str, notebook: str | None) -> str:
    """Return the path of another notebook as it is from the folder of this one, where that is shorter."""
    try:
        relative = os.path.relpath(path, os.path.dirname(notebook) if notebook else None)  # noqa: PTH120  # a str
    except (OSError, ValueError):  # the folder is gone, or on another drive
        return path
    return min(relative, path, key=len)
