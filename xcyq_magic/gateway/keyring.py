"""The key in the system's keyring: the macOS Keychain, the Windows Credential Locker, the Secret Service.

The only module that imports `keyring`, which is an extra. A saved key belongs to the address of its gateway, so
that it is never sent to another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.errors import KeyringError
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.route import without_secrets

if TYPE_CHECKING:
    from types import ModuleType

SERVICE = "xcyq_magic"
SOURCE = "the system keyring"
_OTHERWISE = "%chat_key alone keeps the key in memory, for this kernel; XCYQ_API_KEY in the environment works, too."


def saved_key(base_url: str) -> ApiKey | None:
    """Return the key saved for a gateway; None where there is none, no keyring, or one that cannot be read now.

    Raises
    ------
    KeyFormatError
        It cannot be a key.
    """
    try:
        import keyring  # noqa: PLC0415  # an extra, and slow: asked only where nothing else has a key

        text = keyring.get_password(SERVICE, _name(base_url))
    except Exception:  # noqa: BLE001  # whatever a backend raises: locked, no D-Bus, a dialog closed
        return None
    return ApiKey.of(text, SOURCE)


def check() -> None:
    """See to it that there is a keyring to save a key in, before anybody is asked for the key.

    Raises
    ------
    KeyringError
        There is none.
    """
    keyring = _keyring()
    from keyring.backends import fail, null  # noqa: PLC0415  # as below

    if isinstance(keyring.get_keyring(), fail.Keyring | null.Keyring):  # it would refuse, or keep nothing
        msg = "This system has no keyring that can be used."
        raise KeyringError(msg, _OTHERWISE)


def save(base_url: str, key: ApiKey) -> str:
    """Keep `key` for a gateway; returns the name of the keyring.

    Raises
    ------
    KeyringError
        There is no keyring, or it refuses.
    """
    keyring, flaw = _keyring(), ""
    try:
        keyring.set_password(SERVICE, _name(base_url), key.header(""))
    except Exception as e:  # noqa: BLE001  # as above
        flaw = key.hide(f"{type(e).__name__}: {e}")
    if flaw:  # outside of `except`: the frames of a backend's error hold the key
        msg = f"The system keyring did not accept the key ({flaw})."
        raise KeyringError(msg, "It is kept in memory, for this kernel. XCYQ_API_KEY in the environment works, too.")
    return str(keyring.get_keyring().name)


def forget(base_url: str) -> bool:
    """Delete the key saved for a gateway; returns whether there was one.

    Raises
    ------
    KeyringError
        There is one, and the keyring does not delete it.
    """
    if saved_key(base_url) is None:
        return False
    try:
        _keyring().delete_password(SERVICE, _name(base_url))
    except Exception as e:  # noqa: BLE001  # as above
        msg = f"The system keyring did not delete the key ({type(e).__name__}: {e})."
        raise KeyringError(msg, f"Delete the entry {SERVICE} in the system's own program for passwords.") from None
    return True


def _keyring() -> ModuleType:
    try:
        import keyring  # noqa: PLC0415  # as above

        keyring.get_keyring()  # it loads the one that its configuration names
    except Exception as e:  # noqa: BLE001  # as above
        if isinstance(e, ModuleNotFoundError) and e.name == "keyring":
            msg = "The system keyring needs the package keyring, which is not installed."
            raise KeyringError(msg, f"Type %pip install keyring, then run this cell again. {_OTHERWISE}") from None
        msg = f"The system keyring cannot be used ({type(e).__name__}: {e})."
        raise KeyringError(msg, _OTHERWISE) from None
    return keyring


def _name(base_url: str) -> str:
    return without_secrets(base_url.strip().rstrip("/"))
