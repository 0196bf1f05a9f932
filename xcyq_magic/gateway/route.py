"""The way to a server: its address, who can read on the way, the environment's proxy, and what blocks the way."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
import ssl
import sys
import urllib.request
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from xcyq_magic.errors import NotReachedError, SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
# What a proxy depends on, as it is usually written; in a server's script, REQUEST_METHOD, too.
_PROXIES = [*_PROXY_NAMES, "no_proxy", *(name.upper() for name in _PROXY_NAMES), "NO_PROXY", "REQUEST_METHOD"]
_OFFLINE = "%chat_sandbox works offline."
_CHECK = f"Check the network and GatewaySettings.base_url; {_OFFLINE}"
_NO_NETWORK = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}
# The first that an error is one of.
_BY_KIND: dict[type[OSError], tuple[str, str]] = {
    ConnectionRefusedError: (
        "no server listens there",
        f"Start it if it is yours, or check GatewaySettings.base_url; {_OFFLINE}",
    ),
    ConnectionError: ("the connection was closed while it was set up", _CHECK),
    PermissionError: ("this machine does not allow it, a firewall perhaps", _CHECK),
    TimeoutError: ("nothing there answers", _CHECK),
}
# OpenSSL's numbers: https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_UNKNOWN_ISSUER, _NOT_YET, _EXPIRED, _OTHER_NAME = {18, 19, 20, 21}, {9}, {10}, {62, 64}
_OLD_TLS = re.compile("PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|HANDSHAKE_FAILURE|DH_KEY_TOO_SMALL|LEGACY")
_SETTING = "%config GatewaySettings.base_url"
_BASE_URL_HINT = f"Type for example {_SETTING} = 'https://gateway.example/path'."
_SCHEMELESS = re.compile(r"(?:(?:\w+:)?//)?((?:\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?(?:/[^\s'\\]*)?)", re.ASCII)


def _no_address(text: str) -> SettingError:
    shown = re.sub(r"([?#]).+", r"\1…", text, flags=re.DOTALL)  # what follows may be a key
    msg = f"The base URL {shown!r} is not the address of a gateway; nothing was sent."
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
        msg = "The base URL is not the address of a gateway; nothing was sent."
        raise SettingError(msg, _BASE_URL_HINT) from None
    if parts.scheme not in {"http", "https"}:
        msg = f"The base URL {text!r} does not begin with http:// or https://; nothing was sent."
        meant = _with_scheme(text)
        raise SettingError(msg, f"Did you mean {_SETTING} = '{meant}'?" if meant else _BASE_URL_HINT)
    if not host or not text.isprintable() or any(c in text for c in " #"):
        raise _no_address(text)
    address, _, query = text.partition("?")
    address = address.rstrip("/")
    if not address.endswith(_ENDPOINT):
        versioned = any(map(_VERSION.fullmatch, parts.path.split("/")))
        address = _BESIDE.sub("", address) + _ENDPOINT if versioned else f"{address}/v1{_ENDPOINT}"
    return f"{address}?{query}" if query else address


def _with_scheme(text: str) -> str:
    """Return an address that lacks its scheme with the likely one; ``""`` where it is none."""
    found = _SCHEMELESS.fullmatch(text)
    if found is None:
        return ""
    host = urlsplit(f"//{found[1]}").hostname or ""
    near = found[2] or "." not in host or is_loopback(f"//{found[1]}")  # a port, a name without a dot: it is at hand
    return f"{'http' if near else 'https'}://{found[1]}"


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
    if sys.platform in {"darwin", "win32"}:  # there, the system names some, too
        return _proxy_of(url)
    return _proxy_within(url, tuple(map(os.environ.get, _PROXIES)))


@lru_cache(maxsize=64)  # to read all of the environment takes a tenth of what a request does
def _proxy_within(url: str, environment: tuple[str | None, ...]) -> str | None:  # noqa: ARG001  # it tells one from another
    return _proxy_of(url)


def _proxy_of(url: str) -> str | None:
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


def unusable(variables: list[str], error: Exception) -> SettingError:
    """Return the error for what the environment's `variables` name: certificates, or a proxy."""
    why = "it is not the address of a proxy of a known kind"
    if isinstance(error, ImportError):
        why = "it needs the package socksio, which %pip install socksio brings"
    elif isinstance(error, ssl.SSLError):
        why = "it holds no certificate in the form PEM"
    elif isinstance(error, OSError):
        why = "there is no such file, or it cannot be read"
    msg = f"What {' and '.join(variables)} names cannot be used: {why}; nothing was sent."
    return SettingError(msg, f"Correct {variables[0]}, or unset it, and run the cell again.")


def no_connection(url: str, error: BaseException) -> NotReachedError:
    """Return the error of a request that got no connection, or none that lasted; `error` is what httpx raised.

    It says why in words of ours: the system's and those of TLS differ from machine to machine.
    """
    proxy, parts = proxy_of(url), urlsplit(url)
    found = [found for cause in _causes(error) if (found := _obstacle(cause, proxy or url))]
    why, way_on = found[-1] if found else (f"the request failed ({type(error).__name__})", _CHECK)
    where = f"{parts.scheme}://{parts.netloc}"
    if proxy:
        where, way_on = f"{where} through the proxy {shown_proxy(proxy)}", _proxy_hint(url, proxy)
    return NotReachedError(f"No connection to {where}: {why}.", way_on)


def refused_by_proxy(url: str, words: str) -> NotReachedError:
    """Return the error for a proxy that leads nowhere; `words` are its own, and begin with a status."""
    proxy = proxy_of(url) or ""
    msg = f"The proxy {shown_proxy(proxy)} refused, on the way to {urlsplit(url).hostname}: {words}."
    wants_user = f"It asks for a user name and a password: http://USER:PASSWORD@HOST:PORT. {_proxy_hint(url, proxy)}"
    return NotReachedError(msg, wants_user if words.startswith("407") else _proxy_hint(url, proxy))


def _proxy_hint(url: str, proxy: str) -> str:
    named = " and ".join(variables_of(proxy)) or "the system"
    return f"Check the proxy, which {named} names, or go without it: %env NO_PROXY={urlsplit(url).hostname}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what brought it about, the innermost last; a group tries the addresses of one name."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        for tried in getattr(error, "exceptions", ()):
            yield from _causes(tried)
        error = error.__cause__ or error.__context__


def _obstacle(error: BaseException, url: str) -> tuple[str, str] | None:
    """Return what an error of the system's or of TLS says of the way to `url`, and what helps; None if it says nothing.

    An error without a number only gathers others.
    """
    if isinstance(error, ssl.SSLError):
        return _untrusted(error.verify_code) if isinstance(error, ssl.SSLCertVerificationError) else _no_tls(error)
    if isinstance(error, socket.gaierror | UnicodeError):
        spelling = f"Check how it is spelt, and that this machine is online; {_OFFLINE}"
        return f"no address is known for {urlsplit(url).hostname}", spelling
    if not isinstance(error, OSError) or not error.errno:
        return None
    if error.errno in _NO_NETWORK:
        return "no network route leads there", f"Check the network, a VPN perhaps; {_OFFLINE}"
    known = (said for kind, said in _BY_KIND.items() if isinstance(error, kind))
    return next(known, (f"the system says {os.strerror(error.errno).lower()!r}", _CHECK))


def _untrusted(code: int) -> tuple[str, str]:
    """Return what is wrong with a certificate, by OpenSSL's number for it, and what helps."""
    if code in _UNKNOWN_ISSUER:
        own = "If the certificate is your own, name its file: %env SSL_CERT_FILE=/path/to/ca.pem"
        return "its certificate is not signed by anybody that this machine trusts", own
    if code in _EXPIRED | _NOT_YET:
        when = "has expired" if code in _EXPIRED else "is not valid yet"
        return f"its certificate {when}", "Check this machine's clock, or tell those who run the server."
    if code in _OTHER_NAME:
        return (
            "its certificate is for another name",
            "Set GatewaySettings.base_url to the name that the certificate is for.",
        )
    return f"its certificate is not accepted (number {code} of OpenSSL)", "Tell those who run the server."


def _no_tls(error: ssl.SSLError) -> tuple[str, str]:
    reason = error.reason or ""
    if _OLD_TLS.search(reason):
        return (
            "it offers no version of TLS that this Python accepts",
            "Tell those who run the server: it needs TLS 1.2 or later.",
        )
    if "EOF" in reason or isinstance(error, ssl.SSLEOFError):
        return "the connection was closed while it was set up", _CHECK
    plain = "If it has no https, write http:// in GatewaySettings.base_url; the key then travels unencrypted."
    return "the server there does not speak https", plain
