"""Who can read what is sent: plain http, and proxies of the environment."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from urllib.parse import urlsplit

_AT = re.compile("@|%40|\uff20|\ufe6b", re.IGNORECASE)
PROXY_NAMES = {"http_proxy", "https_proxy", "all_proxy"}  # in any case, as httpx reads them


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def holds_user(url: str) -> bool:
    """Return whether `url` may hold a user and a password: whatever stands before an @, in any of its forms."""
    return _AT.search(url) is not None


def without_user(url: str, instead: str = "") -> str:
    """Return `url` without what stands before its last @: a password may hold a ``/``, and need not be well written."""
    if not holds_user(url):
        return url
    scheme = re.match(r"\s*[a-z][a-z0-9+.-]*://", url, re.IGNORECASE)
    return f"{scheme[0] if scheme else ''}{instead}{_AT.split(url)[-1]}"


def route_notice(url: str) -> str | None:
    """A line to show where others can read what is sent to `url`; None where they cannot."""
    parts = urlsplit(url)
    if parts.scheme != "http" or is_loopback(url):
        return None
    proxy = _proxy_of(parts.hostname or "")
    through = f", the proxy {proxy} among them" if proxy else ""
    return (
        f"{parts.hostname} is reached over plain http: the key and the prompts can be read on the way{through}. "
        "If the gateway has an https address, set GatewaySettings.base_url to it."
    )


def _proxy_of(host: str) -> str | None:
    """The proxy that the environment names for plain http to `host`, without its password."""
    proxies = urllib.request.getproxies()
    address = proxies.get("http") or proxies.get("all")
    if not address or urllib.request.proxy_bypass(host):
        return None
    address = without_user(address)
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return parts.hostname
