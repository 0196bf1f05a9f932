"""Several conversations in one notebook."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.magics.arguments import parse_words, takes
from xcyq_magic.magics.base import ExtensionMagics, count, day_and_time
from xcyq_magic.magics.counts import is_whole

if TYPE_CHECKING:
    from xcyq_magic.chat.conversation import Conversation
    from xcyq_magic.store.summaries import Summary

_FEWEST = 4  # characters of an id that may stand for it
_ALL = "all"


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

        The list has ids, too: of conversations that were set aside, and of other notebooks, such as this one under
        its old name. An id works as a name does.

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
        if fork is not None:
            now = self._fork(before, fork, name)
        elif options.new:
            now = conversations.switch(self._new_name(name, before))
        elif name:
            now = self._find(name)
        else:
            self._list()
            return
        model = self.session.model_of(now)
        self.say(f"The conversation is {now.name} now: {count(len(now.turns), 'turn')}, model {model}.")
        if now.name != before.name:
            self.say(f"%chat_switch {before.name} goes back.")

    def _new_name(self, name: str, before: Conversation) -> str:
        if name and self.session.conversations.has(name):
            msg = f"There is a conversation called {name} already."
            raise InputError(msg, f"%chat_switch {name} goes there.")
        return name or self.session.conversations.unused_name(before.name)

    def _fork(self, before: Conversation, number: str, name: str) -> Conversation:
        turns = before.turns if number == _ALL else before.turns[: int(number)]
        if number != _ALL and not 1 <= int(number) <= len(before.turns):
            msg = f"There is no turn {number}: the conversation has {len(before.turns)}."
            raise InputError(msg, "%chat_history lists them; --fork without a number takes all.")
        conversations = self.session.conversations
        forked = replace(before, name=self._new_name(name, before), turns=turns)
        conversations.begin(forked)
        return conversations.switch(forked.name)

    def _find(self, name: str) -> Conversation:
        conversations = self.session.conversations
        if conversations.has(name):
            return conversations.switch(name)
        known = conversations.summaries()
        found = [s for s in known if len(name) >= _FEWEST and s.id.startswith(name)]
        if len(found) == 1:
            return conversations.take_up(found[0])
        msg = f"There is no conversation called {name}."
        near = difflib.get_close_matches(name, [s.name for s in known], n=1)
        hint = f"Did you mean {near[0]}? " if near else f"%chat_switch --new {name} begins one. "
        raise InputError(msg, f"{hint}%chat_switch alone lists them.")

    def _list(self) -> None:
        from xcyq_magic.display.tables import table_bundle

        conversations = self.session.conversations
        rows = [self._row(s) for s in conversations.summaries()]
        if not rows:
            self.say(f"There is only {conversations.current}, with nothing in it. %chat_switch --new NAME begins one.")
            return
        note = (
            "%chat_switch NAME or ID goes there; --new begins one, --fork [N] one with the first N turns of this one."
        )
        self.show(table_bundle(["name", "id", "notebook", "turns", "last turn", ""], rows, note))

    def _row(self, summary: Summary) -> list[str]:
        conversations = self.session.conversations
        here = summary.notebook == conversations.path
        state = "set aside" if summary.set_aside else ""
        if here and not summary.set_aside and summary.name == conversations.current:
            state = "here"
        return [
            summary.name,
            summary.id,
            "this one" if here else summary.notebook or "none",
            str(summary.turns),
            day_and_time(summary.changed_at) if summary.turns else "",
            state,
        ]
