"""Conversations to files, and from them."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.magics.arguments import parse_words, takes
from xcyq_magic.magics.base import MOST_OF_SYSTEM, ExtensionMagics, count, shortened

if TYPE_CHECKING:
    from xcyq_magic.chat.conversation import Conversation

_QUOTES = {'"', "'"}
_OPTION = re.compile(r"^\s*--force(?=\s|$)|\s--force\s*$")  # what is left is the name, as it was typed
_SEPARATORS = tuple(s for s in (os.sep, os.altsep) if s)


@magics_class
class FileMagics(ExtensionMagics):
    """Save and load."""

    @line_magic
    @no_var_expand
    @takes(
        argument(
            "--force",
            action="store_true",
            help="Also replace a file that holds something else or was changed; never the open notebook.",
        )
    )
    def chat_save(self, line: str) -> None:
        """Save the conversation: ``.md`` to read, ``.json`` to exchange, ``.ipynb`` to run.

        A notebook holds everything, pictures included. JSON is the array of messages of the OpenAI API. ``%chat_load``
        reads both. A file of that name is replaced if ``%chat_save`` wrote it and nobody changed it since. A link is
        replaced by a file; what it points to stays as it is.

        Examples::

            %chat_save chat.md

            %chat_save chat.json

            %chat_save --force chat.ipynb
        """
        from xcyq_magic.display.bundle import completion_bundle
        from xcyq_magic.store.saving import save

        options = parse_words(self.chat_save, line)
        path = _path(_OPTION.sub("", line).strip().removeprefix("-- "), "chat_save")
        if self.context.is_open(path):
            msg = f"{path} is the open notebook, or a copy of it, so nothing was saved."
            beside = path.with_name(f"{path.stem}-chat{path.suffix}")
            raise InputError(msg, f"Choose another name, such as %chat_save {beside}.")
        conversation = self.session.conversation()
        if not conversation.turns:
            msg = f"{conversation.name} has no turns, so nothing was saved."
            raise InputError(msg, "%chat_switch lists the conversations that have some.")
        system = self.session.system_of(conversation)
        save(path, conversation, system, lambda turn: completion_bundle(turn.completion), force=options.force)
        them = "it" if len(conversation.turns) == 1 else "them"
        back = "" if path.suffix.lower() == ".md" else f" %chat_load {path} brings {them} back."
        self.say(f"Saved {count(len(conversation.turns), 'turn')} to {path}.{back}")

    @line_magic
    @no_var_expand
    def chat_load(self, line: str) -> None:
        """Go on with a conversation from a file: ``.json`` or ``.ipynb``.

        In a notebook, the outputs of its chat cells make up the conversation. The present conversation is set aside.
        Turns from another file stay as they are when a cell of this notebook runs.

        Examples::

            %chat_save chat.ipynb

            %chat_load chat.ipynb

            %chat_save chat.json

            %chat_load chat.json
        """
        from xcyq_magic.store.saving import load

        path = _path(line, "chat_load")
        before = self.conversation_at_rest()
        conversations = self.session.conversations
        read = load(path, conversations.media, before.name, conversations.path)
        for notice in read.notices:
            self.say(notice)
        used = self._used_by(before)
        old = conversations.begin(replace(read.conversation, name=before.name))
        self.say(f"Loaded {count(len(read.conversation.turns), 'turn')} from {path} as {before.name}.")
        for line_before, line_now in zip(used, self._used_by(self.session.conversation()), strict=True):
            if line_now != line_before:
                self.say(line_now)
        if old is not None:
            self.say(f"%chat_switch {old.id} goes back to what it was until now.")

    def _used_by(self, conversation: Conversation) -> tuple[str, str]:
        """Return what a turn of `conversation` uses besides its turns, in a line each."""
        model, system = self.session.model_of(conversation), self.session.system_of(conversation)
        prompt = f"This system prompt is sent from now on: {shortened(system, MOST_OF_SYSTEM)}"
        return (
            f"{model} answers from now on. %chat_model NAME chooses another.",
            f"{prompt}\n%chat_system shows it whole, %chat_system off ends it."
            if system
            else "No system prompt is sent from now on. %chat_system TEXT sets one.",
        )


def _path(line: str, magic: str) -> Path:
    text = line.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1]
    if not text:
        msg = f"%{magic} takes the name of a file."
        raise OptionError(msg, f"Try %{magic} chat.ipynb.")
    try:
        path = Path(text).expanduser()
    except RuntimeError as e:  # ~somebody, who has no home here
        msg = f"{text} is not a path on this machine: {e}."
        raise OptionError(msg, "Write it without ~.") from None
    is_directory = os.path.isdir(path)  # noqa: PTH112  # it tells of any path, also of one that no system takes
    if is_directory or text.endswith(_SEPARATORS):
        msg = f"{text} is {'a' if is_directory else 'the name of a'} directory; %{magic} takes the name of a file."
        raise OptionError(msg, f"Try %{magic} {path / 'chat.ipynb'}.")
    return path
