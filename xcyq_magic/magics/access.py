"""The way to the gateway: the key, and the sandbox."""

from __future__ import annotations

import getpass

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import line_magic, magics_class, no_var_expand

from xcyq_magic.errors import InputError
from xcyq_magic.magics.base import ExtensionMagics


@magics_class
class AccessMagics(ExtensionMagics):
    """Enter the key; work offline."""

    @line_magic
    @no_var_expand
    def chat_key(self, line: str) -> None:
        """Enter the API key, hidden; it is kept in memory until the kernel ends."""
        if line.strip():
            # Whatever stands there may be a key: it is not repeated. It is in the notebook, though.
            msg = "%chat_key takes nothing after it: it asks for the key, hidden."
            raise InputError(msg, "If that was the key, delete it from this cell, and save the notebook.")
        try:
            self.session.access.enter_key(getpass.getpass("API key: "))  # in no variable that a traceback could show
        except (StdinNotImplementedError, EOFError):
            msg = "Nobody can be asked for the key here."
            raise InputError(msg, "Set XCYQ_API_KEY before the kernel starts, or in os.environ.") from None
        self.say("The key is kept in memory, for this kernel.")
        if self.session.access.sandbox:
            self.say("The sandbox goes on without it: %chat_sandbox off sends requests to the gateway.")

    @line_magic
    @no_var_expand
    def chat_sandbox(self, line: str) -> None:
        """Work offline: ``%chat_sandbox`` starts a gateway on this machine, ``%chat_sandbox off`` ends it.

        It is no model: it answers what it received. Lines of a prompt that begin with ``sandbox:``
        make it misbehave on purpose; ``sandbox: help`` lists them.
        """
        word = line.strip()
        if word not in {"", "on", "off"}:
            msg = f"%chat_sandbox takes off or nothing, not {word!r}."
            raise InputError(msg, "%chat_sandbox starts it, %chat_sandbox off ends it.")
        session = self.session
        if word == "off":
            session.access.stop_sandbox()
            self.say(f"Requests go to {session.access.base_url} from now on.")
            return
        session.access.start_sandbox()
        self.say(
            "Requests go to a sandbox on this machine from now on.\n"
            "It is no model: it answers what it received. %chat_sandbox off ends it."
        )
