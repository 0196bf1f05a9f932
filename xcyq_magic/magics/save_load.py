"""Conversations to files, and from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from IPython.core.magic import line_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.magics.base import ExtensionMagics, count

_QUOTES = {'"', "'"}


@magics_class
class FileMagics(ExtensionMagics):
    """Save and load."""

    @line_magic
    @no_var_expand
    def chat_save(self, line: str) -> None:
        """Save the conversation: ``.md`` to read, ``.json`` to exchange, ``.ipynb`` to run.

        A notebook holds all there is, pictures included; JSON is the messages array of OpenAI's API. `%chat_load` takes
        both. A file of that name is replaced; a link becomes a file, and what it points to stays as it is.

        Examples::

            %chat_save chat.md

            %chat_save chat.json

            %chat_save chat.ipynb
        """
        from xcyq_magic.display.bundle import completion_bundle
        from xcyq_magic.store.saving import save

        path = _path(line, "chat_save")
        conversation = self.session.conversation()
        if not conversation.turns:
            msg = f"{conversation.name} has no turns, so nothing was saved."
            raise InputError(msg, "%chat_switch lists the conversations that have some.")
        system = self.session.system_of(conversation)
        save(path, conversation, system, lambda turn: completion_bundle(turn.completion))
        back = "" if path.suffix.lower() == ".md" else f" %chat_load {path} brings them back."
        self.say(f"Saved {count(len(conversation.turns), 'turn')} to {path}.{back}")

    @line_magic
    @no_var_expand
    def chat_load(self, line: str) -> None:
        """Go on with a conversation from a file: ``.json`` or ``.ipynb``.

        Of a notebook, the outputs of its chats make the conversation. The one until now is set aside.

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
        read = load(path, self.session.model_of(before), conversations.media, before.name)
        for notice in read.notices:
            self.say(notice)
        old = conversations.begin(replace(read.conversation, name=before.name))
        self.say(f"Loaded {count(len(read.conversation.turns), 'turn')} from {path} as {before.name}.")
        if old is not None:
            self.say(f"%chat_switch {old.id} goes back to what it was until now.")


def _path(line: str, magic: str) -> Path:
    text = line.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1]
    if not text:
        msg = f"%{magic} takes the name of a file."
        raise OptionError(msg, f"Try %{magic} chat.ipynb.")
    try:
        return Path(text).expanduser()
    except RuntimeError as e:  # ~somebody, who has no home here
        msg = f"{text} is no path here: {e}."
        raise OptionError(msg, "Write it without ~.") from None
