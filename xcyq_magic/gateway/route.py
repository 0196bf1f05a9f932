"""The way to a server: its address, who can read on the way, and the proxy that the environment names."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import urllib.request
from urllib.parse import SplitResult, urlsplit

from xcyq_magic.errors import SettingError

_AT = re.compile("@|%40|\uff20|\ufe6b", re.IGNORECASE)
# Fields of a query that hold a key, by what their names hold: api-key, access_token, subscription-key, sig.
_SECRET = re.compile(
    r"(?P<name>[?&;][^=&;#]*(?:key|token|secret|passw|auth|sig|code)[^=&;#]*=)(?P<value>[^&;#]*)", re.IGNORECASE
)
_ENDPOINT = "/chat/completions"
_VERSION = re.compile(r"v\d+(?:\.\d+)*(?:(?:alpha|beta|preview)\d*)?", re.IGNORECASE)
# What else lies under a version, and is pasted for it.
_BESIDE = re.compile(r"/(?:chat|completions|responses|messages|models|embeddings)$")
_PROXY_NAMES = {"http_proxy", "https_proxy", "all_proxy"}  # in any case, as httpx reads them
_BASE_URL_HINT = "Type for example %config GatewaySettings.base_url = 'https://gateway.example/path'."


def _no_address(text: str) -> SettingError:
    shown = re.sub(r"([?#]).+", r"\1…", text, flags=re.DOTALL)  # what follows may be a key
    msg = f"The base URL {shown!r} is no address of a gateway; nothing was sent."
    return SettingError(msg, _BASE_URL_HINT)


def endpoint(base_url: str) -> str:
    """Return the address of the endpoint that `base_url` names: by a host, a path with its version, or the whole of it.

    Raises
    ------
    SettingError
        `base_url` has no scheme or no host, or may hold a password or a key, which is not repeated.
    """
    text = base_url.strip()
    if holds_user(text):  # first: what is said of anything else repeats the address
        msg = "The base URL holds an @: a user name or a password would be shown; nothing was sent."
        raise SettingError(msg, "Leave it out; %chat_key asks for the key.")
    if secret := _SECRET.search(text):
        msg = f"The base URL holds {secret['name'][1:]}…, a key that would be shown; nothing was sent."
        raise SettingError(msg, "Leave it out; %chat_key asks for the key.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a bracket without its other half, a port that is no number, which may be a password
        msg = "The base URL is no address of a gateway; nothing was sent."
        raise SettingError(msg, _BASE_URL_HINT) from None
    if parts.scheme not in {"http", "https"}:
        msg = f"The base URL {text!r} does not begin with http:// or https://; nothing was sent."
        raise SettingError(msg, _BASE_URL_HINT)
    if not host or not text.isprintable() or any(c in text for c in " #"):
        raise _no_address(text)
    address, _, query = text.partition("?")
    address = address.rstrip("/")
    if not address.endswith(_ENDPOINT):
        versioned = any(map(_VERSION.fullmatch, parts.path.split("/")))
        address = _BESIDE.sub("", address) + _ENDPOINT if versioned else f"{address}/v1{_ENDPOINT}"
    return f"{address}?{query}" if query else address


def models_url(endpoint: str) -> str:
    """Return the address beside `endpoint` where a server lists its models."""
    address, question, query = endpoint.partition("?")
    return f"{address.removesuffix(_ENDPOINT)}/models{question}{query}"


def is_loopback(url: str) -> bool:
    """Return whether `url` leads to this machine."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified  # 0.0.0.0 is what a server says that it listens on


def holds_user(url: str) -> bool:
    """Return whether `url` may hold a user and a password: whatever stands before an @, in any of its forms."""
    return _AT.search(url) is not None


def without_secrets(url: str, instead: str = "") -> str:
    """Return `url` without what stands before its last @, and without keys in its query.

    A password may hold a ``/``, and need not be well written.
    """
    if holds_user(url):
        scheme = re.match(r"\s*[a-z][a-z0-9+.-]*://", url, re.IGNORECASE)
        url = f"{scheme[0] if scheme else ''}{instead}{_AT.split(url)[-1]}"
    return _SECRET.sub(r"\g<name>…", url)


def route_notice(url: str) -> str | None:
    """Return a line to show where others can read what is sent to `url`; None where they cannot."""
    parts = urlsplit(url)
    if parts.scheme != "http" or is_loopback(url):
        return None
    proxy = proxy_of(url)
    through = f", the proxy {shown_proxy(proxy)} among them" if proxy else ""
    return (
        f"{parts.hostname} is reached over plain http: the key and the prompts can be read on the way{through}. "
        "If the gateway has an https address, set GatewaySettings.base_url to it."
    )


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for `url`, or None: loopback is never reached through one."""
    parts, proxies = urlsplit(url), urllib.request.getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all")
    if not address or is_loopback(url) or _goes_without(parts, proxies.get("no", "")):
        return None
    return address if "://" in address else f"http://{address}"


def _goes_without(parts: SplitResult, excepted: str) -> bool:
    """Return whether an address is one that ``NO_PROXY`` names: as the standard library reads it, or by its network."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    bracketed = f"[{host}]" if ":" in host else host
    if any(map(urllib.request.proxy_bypass, (host, bracketed, f"{bracketed}:{port}"))):
        return True
    with contextlib.suppress(ValueError):  # the host is a name
        address = ipaddress.ip_address(host)
        for word in excepted.split(","):
            with contextlib.suppress(ValueError):  # a name, too
                if address in ipaddress.ip_network(word.strip(), strict=False):
                    return True
    return False


def shown_proxy(address: str) -> str:
    """Return a proxy's host and port, without its password."""
    try:
        parts = urlsplit(without_secrets(address))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # it is no address
        return "?"
    return f"{parts.hostname}{port}"


def variables_of(proxy: str | None) -> list[str]:
    """Return the environment's variables that name `proxy`."""
    named = [n for n in os.environ if n.lower() in _PROXY_NAMES]
    return [n for n in named if os.environ[n] and proxy and proxy.endswith(os.environ[n])]
