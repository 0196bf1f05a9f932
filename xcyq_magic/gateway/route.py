"""Who can read what is sent: plain http, and proxies of the environment."""

from __future__ import annotations

import ipaddress
import re
import urllib.request
from urllib.parse import urlsplit

PROXY_NAMES = {"http_proxy", "https_proxy", "all_proxy"}  # in any case, as httpx reads them


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_user(url: str) -> str:
    """`url` without the user and password that it may hold; it need not be a good one."""
    return re.sub(r"//[^/@]*@", "//", url)


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
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return parts.hostname
