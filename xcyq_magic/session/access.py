"""The way to the gateway: which key, which address, or the sandbox instead."""

from __future__ import annotations

import contextlib
import os
import threading
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from xcyq_magic.errors import KeyFormatError, MissingKeyError, SandboxError, XcyqError
from xcyq_magic.gateway import catalog, keyring
from xcyq_magic.gateway.attempt import Connection
from xcyq_magic.gateway.credentials import ApiKey, NoKey, hide_assigned, note_of_file
from xcyq_magic.gateway.route import endpoint, is_loopback, route_notice, without_secrets
from xcyq_magic.session.settings import DEFAULT_BASE_URL
from xcyq_magic.store.forks import PerProcess

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from xcyq_magic.gateway.client import GatewayClient
    from xcyq_magic.gateway.sandbox.server import Sandbox
    from xcyq_magic.session.settings import GatewaySettings

_LIST_S = 10.0  # for a server to list its models
_TAB_S = 2.0  # the same, where nobody asked for the list


class GatewayAccess:
    """What a session needs to reach its gateway.

    Parameters
    ----------
    settings
        Read anew for each request.

    Attributes
    ----------
    sandbox
        The sandbox that takes the gateway's place; None while there is none.
    entered
        The key that was entered; None if none was.
    has_magics
        Whether there are magics to type: errors name them then.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self.entered: ApiKey | None = None
        self.has_magics = False
        self._saved: dict[str, ApiKey] = {}  # by address: a keyring may take a while, or ask the user
        self.sandbox: Sandbox | None = None
        self._left_url = ""  # what the settings had when the sandbox began to answer in its place
        self._route_told = False
        self._listed: dict[str, tuple[str, ...]] = {}  # the models of servers, by their addresses
        self._remarked: set[tuple[str, str]] = set()
        # Threads may come first at once, but a sandbox is started once, and a keyring asked once.
        self._lock = PerProcess(threading.RLock)

    def sandbox_notice(self) -> str | None:
        """Return a line on an address that was set while the sandbox answers in its place; None once it was told."""
        with self._lock.get():
            if self.sandbox is None or self._settings.base_url == self._left_url:
                return None
            self._left_url = self._settings.base_url
            return still_answers(self._left_url)

    @property
    def instead(self) -> str:
        """``, in place of `` and the address that was set, where the sandbox answers in its place; else ``""``."""
        is_set = self.sandbox is not None and self._settings.base_url != DEFAULT_BASE_URL
        return f", in place of {without_secrets(self._settings.base_url)}" if is_set else ""

    def route_notice(self) -> str | None:
        """Return a line on where requests go, and who can read them; told once, so None from then on."""
        with self._lock.get():
            if (still := self.sandbox_notice()) is not None:
                return still
            notice = None if self._route_told else route_notice(self.base_url)
            self._route_told = self._route_told or notice is not None
            return notice

    @property
    def base_url(self) -> str:
        """Where requests go now, as `GatewaySettings.base_url` has it."""
        return self.sandbox.base_url if self.sandbox else self._settings.base_url

    @property
    def has_catalogue(self) -> bool:
        """Whether the names of the catalogue are those of the server: the gateway's, or the sandbox's."""
        here, documented = (urlsplit(url.strip()).netloc.lower() for url in (self.base_url, DEFAULT_BASE_URL))
        return self.sandbox is not None or here == documented

    def models(self, client: GatewayClient, *, anew: bool) -> Collection[str]:
        """Return the names of the models: of the catalogue, or those that its server lists where that is another one.

        Parameters
        ----------
        client
            What asks the server.
        anew
            Whether to ask it again. Else it is asked once, with little patience, and not where others could read the
            key before anybody is told so; one that gave no list then has the names of the catalogue.

        Raises
        ------
        XcyqError
            The server is asked anew, and gives no list.
        """
        address = self.base_url
        if self.has_catalogue:
            return catalog.MODELS
        if anew or (address not in self._listed and route_notice(address) is None):
            self._listed[address] = ()
            with contextlib.nullcontext() if anew else contextlib.suppress(XcyqError):
                patience = _LIST_S if anew else _TAB_S
                self._listed[address] = client.models(self.key(), self.connection(), patience)
        return self._listed.get(address) or catalog.MODELS

    def listed(self, client: GatewayClient) -> tuple[str, ...]:
        """Return the names of the models that the server lists, whosever it is; none where it gives no list."""
        try:
            return client.models(self.key(), self.connection(), _LIST_S)
        except XcyqError:
            return ()

    def remarks(self, model: str) -> list[str]:
        """Return a line on each name, of a model or a chain, that is in no list; once for each name and address."""
        return [remark for name in catalog.chain_of(model) for remark in self._remark(name)]

    def _remark(self, model: str) -> list[str]:
        asked = self.base_url, model
        notice = catalog.notice(model, self._listed.get(asked[0], ()))
        if notice is None or asked in self._remarked:
            return []
        self._remarked.add(asked)
        return [notice]

    @property
    def shown_url(self) -> str:
        """`base_url` for people: without a password or a key, should it hold one."""
        return without_secrets(self.base_url)

    def key(self) -> ApiKey:
        """Return the key to use now: the sandbox's, else the one entered, the environment's, ``.env``'s, the keyring's.

        A server on this machine may need none.

        Raises
        ------
        MissingKeyError, KeyFormatError
            There is none, or it cannot be one.
        """
        if self.sandbox is not None:
            return self.sandbox.key
        key = self.own_key()
        if key is None and is_loopback(self.base_url):
            return NoKey()
        if key is None:
            msg = "There is no API key, so nothing was sent."
            way_on = "Set XCYQ_API_KEY, or enter it with %chat_key, or work offline with %chat_sandbox."
            if not self.has_magics:
                way_on = "Set XCYQ_API_KEY, or XCYQ_BASE_URL to a server on this machine, which may need none."
            raise MissingKeyError(msg, f"{self.file_note} {way_on}".lstrip())
        return key

    def own_key(self) -> ApiKey | None:
        """Return the user's key, also while the sandbox answers without it; None if there is none.

        Raises
        ------
        KeyFormatError
            It cannot be one.
        """
        return self.entered or ApiKey.from_environment(os.environ) or ApiKey.from_file(_folder()) or self._saved_key()

    @property
    def file_note(self) -> str:
        """A sentence on a ``.env`` beside the notebook that gave no key; ``""`` where there is none."""
        return note_of_file(_folder())

    def _saved_key(self) -> ApiKey | None:
        with self._lock.get():
            address = self._settings.base_url
            key = self._saved.get(address) or keyring.saved_key(address)
            if key is not None:
                self._saved[address] = key
            return key

    def hide(self, text: str) -> str:
        """Return `text` without the keys that requests carry, or would without the sandbox."""
        return self.hide_all([text])[0]

    def hide_all(self, texts: Iterable[str]) -> list[str]:
        """Return `texts` as `hide` does each; the keys are looked for once."""
        keys = list(self._keys())
        return [hide_assigned(reduce(lambda said, key: key.hide(said), keys, text)) for text in texts]

    def _keys(self) -> Iterator[ApiKey]:
        """Yield all keys that are known. The keyring is asked only where a request will ask it."""
        keys = [self.entered, *self._saved.values()]
        with contextlib.suppress(KeyFormatError):
            keys.append(ApiKey.from_environment(os.environ))
        with contextlib.suppress(KeyFormatError):
            keys.append(ApiKey.from_file(_folder()))
        if self.sandbox is None and not any(keys):
            with contextlib.suppress(KeyFormatError):
                keys.append(self._saved_key())
        yield from filter(None, keys)

    def enter_key(self, text: str) -> ApiKey:
        """Use the key `text` until the kernel ends.

        Raises
        ------
        KeyFormatError
            It cannot be a key; the one before stays.
        """
        try:
            self.entered = ApiKey(text, "%chat_key")
        except KeyFormatError as e:
            del text  # this frame is in the traceback of the error
            raise e.with_traceback(None) from None
        return self.entered

    def save_key(self, key: ApiKey) -> str:
        """Keep `key` in the system keyring, for the gateway of the settings; returns the keyring's name.

        Raises
        ------
        KeyringError
            There is no keyring, or it refuses.
        """
        self._saved.clear()
        return keyring.save(self._settings.base_url, key)

    def forget_key(self) -> list[str]:
        """Forget the key that was entered, and the one saved for the gateway; returns where one was.

        Raises
        ------
        KeyringError
            The keyring does not delete it.
        """
        entered, self.entered = self.entered, None
        self._saved.clear()
        from_keyring = keyring.forget(self._settings.base_url)
        return [*(["this kernel"] if entered else []), *([keyring.SOURCE] if from_keyring else [])]

    def connection(self) -> Connection:
        """Return where requests go now.

        Raises
        ------
        SettingError
            The base URL is none.
        """
        settings = self._settings
        return Connection(
            endpoint(self.base_url),
            "Bearer" if self.sandbox else settings.auth_scheme,
            settings.connect_timeout,
            settings.first_byte_timeout,
            settings.read_timeout,
            settings.answer_timeout,
            settings.fallback_after,
            settings.fallback_after_silence,
            settings.fallback_rest,
            self._listed.get(self.base_url, ()),
        )

    def start_sandbox(self) -> Sandbox:
        """Work offline: requests go to a sandbox of this session from now on.

        Raises
        ------
        SandboxError
            tornado is not installed.
        """
        with self._lock.get():
            if self.sandbox is None:
                try:
                    from xcyq_magic.gateway.sandbox.server import Sandbox  # noqa: PLC0415  # needs an extra
                except ModuleNotFoundError as e:
                    msg = f"The sandbox needs {e.name}, which is not installed."
                    raise SandboxError(msg, "Type %pip install tornado, then run this cell again.") from None
                self.sandbox, self._left_url = Sandbox(), self._settings.base_url
            return self.sandbox

    def stop_sandbox(self) -> None:
        """Send requests to the gateway again."""
        with self._lock.get():
            sandbox, self.sandbox = self.sandbox, None
        if sandbox is not None:
            sandbox.close()


def still_answers(url: str) -> str:
    """Return a line on an address that was set while the sandbox answers."""
    return f"The sandbox still answers: %chat_sandbox off sends requests to {without_secrets(url)}."


def _folder() -> Path:
    """Return the notebook's folder, else the current one."""
    notebook = Path(os.environ.get("JPY_SESSION_NAME", ""))  # absolute in JupyterLab 4 and Notebook 7
    return notebook.parent if notebook.is_absolute() else Path()
