"""Which server gets a conversation: the one that answered in it, or another one now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import SettingError
from xcyq_magic.gateway.route import is_loopback, without_secrets

if TYPE_CHECKING:
    from xcyq_magic.chat.conversation import CellRun, Conversation
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.session.access import GatewayAccess

SANDBOX = "sandbox"  # in place of an address


class Places:
    """Where requests go, and where the turns of a conversation came from.

    Parameters
    ----------
    access
        How the gateway is reached.
    """

    def __init__(self, access: GatewayAccess) -> None:
        self._access = access
        self._moved: set[tuple[str, str]] = set()  # names of conversations, and addresses to which they may go

    @property
    def here(self) -> str:
        """Where a reply comes from: what is kept of one gateway is no reply of another."""
        return SANDBOX if self._access.sandbox else self._access.base_url

    def check(self, conversation: Conversation, cell: CellRun | None = None, prompt: Message | None = None) -> None:
        """Refuse once to send a conversation of another kernel to another server than the one that answered there.

        The address is a setting of a kernel: after a restart it is another one, and nobody has asked for that.

        Parameters
        ----------
        conversation
            Its turns above `cell` would go along.
        cell
            The run of the cell that asks; None for one that has no turn.
        prompt
            What it asks.

        Raises
        ------
        SettingError
            It would go there. Nothing was sent.
        """
        was, here = conversation.answered_at, without_secrets(self.here)
        if was in {None, SANDBOX} or not self._leaves(was) or not conversation.asked_elsewhere(cell, prompt):
            return
        if (conversation.name, here) in self._moved:
            return
        self._moved.add((conversation.name, here))
        msg = f"{conversation.name} was answered by {was}, and would be sent to {here} now; nothing was sent."
        way_on = f"%config GatewaySettings.base_url = '{was}' goes on there. To send it to {here}, run this again."
        raise SettingError(msg, way_on)

    def notice(self, now: Conversation) -> str | None:
        """Return a line on a conversation whose turns go to another server now than to the one that answered."""
        was, here = now.answered_at, without_secrets(self.here)
        if not now.turns or was is None or here == SANDBOX or not (was == SANDBOX or self._leaves(was)):
            return None
        by = "the sandbox" if was == SANDBOX else was
        return (
            f"{now.name} was answered by {by}; with its next prompt, its turns go to {here}. %chat_reset begins anew."
        )

    def _leaves(self, was: str | None) -> bool:
        """Return whether what `was` answered would go to another server now, and to another machine."""
        return without_secrets(self.here) not in {was, SANDBOX} and not is_loopback(self.here)
