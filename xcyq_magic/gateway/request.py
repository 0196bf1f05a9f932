"""A request, and the gateway's rules for it, checked before anything is sent."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import json
import math
import re
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from xcyq_magic.chat.conversation import Parameters
from xcyq_magic.chat.given import has_surrogates
from xcyq_magic.chat.messages import Video
from xcyq_magic.errors import RequestError, SettingError
from xcyq_magic.gateway.catalog import MAX_VIDEO_MB, VARIABLE, VIDEO_MODELS, interpolation, takes_video

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.gateway.catalog import VideoForm


_AT = re.compile("@|%40|\uff20|\ufe6b", re.IGNORECASE)
PROXY_NAMES = {"http_proxy", "https_proxy", "all_proxy"}  # in any case, as httpx reads them
_WITHOUT_IT = "ask without the history (--once, once=True), or take that turn back (%chat_undo, undo())"
_BASE64 = 4 / 3  # bytes that travel for each byte of a file
MOST_STOPS = 4
_BASE_URL_HINT = "Type for example %config GatewaySettings.base_url = 'https://gateway.example/path'."
# Fields that have an option, a magic or an owner of their own.
_RESERVED = {
    "model": "-m MODEL",
    "messages": "the cell's text",
    "stream": "--no-stream",
    "temperature": "-t",
    "top_p": "--top-p",
    "max_tokens": "--max-tokens",
    "stop": "--stop",
}
# Fields of gateways and servers whose names are near one of ours, and that mean something else.
_NEAR_FIELDS = {"cache", "conversation_id", "max_new_tokens", "min_tokens", "session_id", "top_a", "top_k", "top_n"}
_NEAR = 0.8  # of 1, for a name to be suggested: of five letters, one may be wrong
_NOT_SENT = {"name", "note", "original"}  # of a part with media


def is_loopback(url: str) -> bool:
    """Return whether `url` leads to this machine."""
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
    """Return a line to show where others can read what is sent to `url`; None where they cannot."""
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
    """Return the proxy that the environment names for plain http to `host`, without its password."""
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


@dataclass(frozen=True)
class ChatRequest:
    """One call of the endpoint ``/v1/chat/completions``."""

    model: str
    messages: tuple[Message, ...]
    parameters: Parameters = field(default_factory=Parameters)
    stream: bool = True
    video_form: VideoForm = "image_url"


def meant(field: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `field` is nearly called; None for a field that means something else."""
    if field in _NEAR_FIELDS:
        return None
    return next(iter(difflib.get_close_matches(field.lower(), names, 1, _NEAR)), None)


def check(request: ChatRequest, max_video_mb: float = MAX_VIDEO_MB) -> None:
    """Refuse what the gateway would refuse.

    Parameters
    ----------
    max_video_mb
        Megabytes (10⁶ bytes) of the videos of a request as they travel, in base64.

    Raises
    ------
    RequestError
        A rule is broken; the message names it.
    """
    check_model(request.model)
    if not request.messages[-1].text.strip() and not request.messages[-1].media:
        msg = "The prompt is empty, so nothing was sent."
        raise RequestError(msg, "Write what you want to know.")
    for message in request.messages:
        if has_surrogates(message.text):
            whose = "system prompt" if message.role == "system" else "prompt"
            msg = f"The {whose} holds half a character (a lone surrogate), which cannot be sent; nothing was."
            raise RequestError(msg, "Was a text cut in the middle of an emoji? Decode it anew, or take that part out.")
    _check_videos(request, max_video_mb)
    check_parameters(request.parameters)


def check_model(name: str) -> None:
    """Refuse a name that no model can have.

    Raises
    ------
    RequestError
        It is not one word, or holds braces or a dollar.
    """
    if shown := interpolation(name):
        msg = f"No model's name holds {shown}; nothing was sent."
        raise RequestError(msg, f"{VARIABLE} %chat_models lists the names.")
    if not name.strip() or not name.isprintable() or " " in name:
        msg = f"A model's name is one word, not {name!r}."
        raise RequestError(msg, "Try gpt-5.5; %chat_models lists the names.")


def _check_videos(request: ChatRequest, max_mb: float) -> None:
    videos = [p for m in request.messages for p in m.media if p.kind == "video"]
    if not videos:
        return
    now = request.messages[-1].media
    where = "" if videos[-1] in now else f" It is in an earlier turn: {_WITHOUT_IT}."
    if not takes_video(request.model):
        msg = f"{request.model} takes no video, so nothing was sent."
        raise RequestError(msg, f"These do: {', '.join(VIDEO_MODELS)}.{where}")
    bytes_sent = sum(_BASE64 * len(p.data) for p in videos if isinstance(p, Video))
    if bytes_sent > max_mb * 1e6:
        what = (videos[0].name or "The video") if len(videos) == 1 else f"{len(videos)} videos"
        msg = f"{what} would take {bytes_sent / 1e6:,.1f} MB of the request, more than {max_mb:g} MB; nothing was sent."
        smaller = "Make it smaller, as by ffmpeg -i film.mp4 -vf scale=640:-2 -r 10 small.mp4"
        setting = f"%config GatewaySettings.max_video_mb = {math.ceil(bytes_sent / 1e6)}"
        raise RequestError(msg, f"{smaller}; where the gateway takes more, {setting}.{where}")


def check_parameters(parameters: Parameters) -> None:
    """Refuse parameters outside the gateway's bounds.

    Raises
    ------
    RequestError
        The message names the rule.
    """
    _within("temperature", parameters.temperature, 0, 2, "0.7")
    _within("top_p", parameters.top_p, 0, 1, "0.9")
    most: object = parameters.max_tokens
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        msg = f"max_tokens is a whole number of at least 1, not {most!r}; nothing was sent."
        raise RequestError(msg, "Try 500, or leave it out.")
    if wrong := [s for s in parameters.stop if not isinstance(s, str)]:
        msg = f"A stop string is text, not {wrong[0]!r}; nothing was sent."
        raise RequestError(msg, 'Try "END".')
    if len(parameters.stop) > MOST_STOPS:
        msg = f"stop takes up to {MOST_STOPS} strings, not {len(parameters.stop)}; nothing was sent."
        raise RequestError(msg, f"Keep the {MOST_STOPS} that matter.")
    if not all(parameters.stop):
        msg = "A stop string cannot be empty; nothing was sent."
        raise RequestError(msg, 'Try "END".')
    if any(map(has_surrogates, parameters.stop)):
        msg = "A stop string holds half a character (a lone surrogate); nothing was sent."
        raise RequestError(msg, "Write the character whole.")
    for name, value in parameters.extra.items():
        if name in _RESERVED:
            msg = f"-p cannot set {name}; nothing was sent."
            raise RequestError(msg, f"Use {_RESERVED[name]} for it.")
        _json_ready(name, value)


def _within(name: str, value: Any, low: float, high: float, example: str) -> None:  # noqa: ANN401  # as it was given
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # NaN is not between anything
        shown = f"{value:g}" if is_number else repr(value)
        msg = f"{name} is a number from {low} to {high}, not {shown}; nothing was sent."
        raise RequestError(msg, f"Try {example}.")


def _json_ready(name: str, value: Any) -> None:  # noqa: ANN401  # any JSON value
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        shown = "NaN" if isinstance(value, float) and math.isnan(value) else repr(value)
        msg = f"{name} = {shown} cannot be written as JSON; nothing was sent."
        raise RequestError(msg, "JSON knows text, finite numbers, true, false, null, lists and objects.") from None


def _no_address(text: str) -> SettingError:
    shown = re.sub(r"([?#]).+", r"\1…", text, flags=re.DOTALL)  # what follows may be a key
    msg = f"The base URL {shown!r} is no address of a gateway; nothing was sent."
    return SettingError(msg, _BASE_URL_HINT)


def endpoint(base_url: str) -> str:
    """Return the address of the endpoint under `base_url`.

    Raises
    ------
    SettingError
        `base_url` has no scheme or no host, carries a query, or may hold a password, which is not repeated.
    """
    text = base_url.strip()
    if holds_user(text):  # first: what is said of anything else repeats the address
        msg = "The base URL holds an @: a user name or a password would be shown; nothing was sent."
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
    if not host or not text.isprintable() or any(c in text for c in " ?#"):
        raise _no_address(text)
    path = text.rstrip("/").removesuffix("/chat/completions")
    return f"{path}/chat/completions" if path.endswith("/v1") else f"{path}/v1/chat/completions"


def digest(request: ChatRequest, gateway: str) -> str:
    """Return the SHA-256 of what is asked of `gateway`.

    How a picture is called does not count, nor whether the reply is streamed.
    """
    messages = [
        [m.role, [{k: v for k, v in p.to_dict().items() if k not in _NOT_SENT} for p in m.parts]]
        for m in request.messages
    ]
    form = request.video_form if any(m.videos for m in request.messages) else None
    asked = [gateway, request.model, messages, request.parameters.to_dict(), form]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()
