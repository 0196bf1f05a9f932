"""The way to the gateway: the key, and the sandbox."""

from __future__ import annotations

import contextlib
import getpass

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, KeyFormatError, MissingKeyError
from xcyq_magic.gateway import catalog
from xcyq_magic.magics.arguments import takes
from xcyq_magic.magics.base import ExtensionMagics, gateway_lines
from xcyq_magic.session.settings import DEFAULT_MODEL


@magics_class
class AccessMagics(ExtensionMagics):
    """Enter the key; work offline."""

    @line_magic
    @no_var_expand
    @takes(
        argument("--save", action="store_true", help="Keep it in the system keyring, for later kernels."),
        argument("--forget", action="store_true", help="Forget it, here and in the system keyring."),
    )
    def chat_key(self, line: str) -> None:
        """Enter the API key, hidden. It stays in memory until the kernel ends.

        The gateway's owner gives out keys. Without this magic, the key is taken from the first place that has one: the
        environment variable XCYQ_API_KEY or GLOBALAIOPC_API_KEY, a file .env beside the notebook with a line
        XCYQ_API_KEY=… or GLOBALAIOPC_API_KEY=…, the system keyring. ``%chat`` says which one is used. No output ever
        shows the key.

        Examples::

            %chat_key

            %chat_key --save

            %chat_key --forget
        """
        wish = line.strip()
        if wish not in {"", "--save", "--forget"}:
            # Whatever stands there may be a key: it is not repeated. It is in the notebook, though.
            msg = "%chat_key takes --save, --forget or nothing after it: it asks for the key, hidden."
            raise InputError(msg, "If that was the key, delete it from this cell, and save the notebook.")
        access = self.session.access
        if wish == "--forget":
            places = " and ".join(access.forget_key())
            self.say(f"Forgotten: the key of {places}." if places else "There was no key to forget.")
            self._say_which_key_is_left()
            return
        if wish == "--save":  # where that cannot be, nobody is to be asked
            from xcyq_magic.gateway.keyring import check

            check()
        try:
            key = access.enter_key(getpass.getpass("API key: "))  # in no variable that a traceback could show
        except (StdinNotImplementedError, EOFError):
            msg = "The key cannot be entered here: this frontend takes no input."
            raise InputError(msg, "Set XCYQ_API_KEY before the kernel starts, or in os.environ.") from None
        if wish == "--save":
            self.say(f"The key is saved in {access.save_key(key)}, for {access.shown_url}.")
            self.say("A key in XCYQ_API_KEY or in a .env file wins over it. %chat_key --forget deletes it.")
        else:
            self.say("The key is kept in memory, for this kernel. %chat_key --save keeps it in the system keyring.")
        if access.sandbox:
            self.say("The sandbox goes on without it: %chat_sandbox off sends requests to the gateway.")

    def _say_which_key_is_left(self) -> None:
        with contextlib.suppress(InputError):
            if source := self.session.access.key().source:
                self.say(f"The key from {source} is used now.")

    def _source_of_own_key(self) -> str:
        """Return where the user's key comes from; ``""`` where there is none."""
        with contextlib.suppress(KeyFormatError):
            if (key := self.session.access.own_key()) is not None:
                return key.source
        return ""

    @line_magic
    @no_var_expand
    def chat_sandbox(self, line: str) -> None:
        """Work offline: a gateway on this machine answers, without a key.

        The sandbox is not a model: it reports what it receives. A line of the prompt that begins with ``sandbox:``
        makes it misbehave on purpose; ``sandbox: help`` lists what it can do.

        ``%chat_sandbox auto`` starts it only if no key is found, so that a notebook runs with and without one. What is
        on stays on until ``%chat_sandbox off``.

        Examples::

            %chat_sandbox

            %chat sandbox: help

            %chat_sandbox off

            %chat_sandbox auto
        """
        word = line.strip()
        if word not in {"", "on", "off", "auto"}:
            msg = f"%chat_sandbox takes auto, off or nothing, not {word!r}."
            raise InputError(msg, "%chat_sandbox starts it, %chat_sandbox off ends it.")
        access = self.session.access
        if word == "off":
            access.stop_sandbox()
            moves = self.session.places.notice(self.session.conversation())
            self.say("\n".join(["The sandbox is off.", *gateway_lines(access), *([moves] if moves else [])]))
            return
        if word == "auto" and access.sandbox is None:
            try:
                source = access.key().source
            except MissingKeyError:
                self.say(f"No API key is found. {access.file_note}".rstrip())
            else:
                key = f"with the key from {source}" if source else "without a key"
                self.say(f"Requests go to {access.shown_url}, {key}. %chat_sandbox works offline.")
                return
        if word == "auto" and (source := self._source_of_own_key()):
            self.say(f"The sandbox goes on, although there is a key from {source}: %chat_sandbox off uses it.")
            return
        access.start_sandbox()
        self.say(
            f"Requests go to a sandbox on this machine from now on{access.instead}.\n"
            "It is not a model: it reports what it receives. %chat_sandbox off ends it."
        )
        names = catalog.chain_of(self.session.model_of(self.session.conversation()))
        if unknown := [name for name in names if catalog.notice(name)]:
            self.say(f"It has the models of the gateway, not {unknown[0]}: type %chat_model {DEFAULT_MODEL}.")
