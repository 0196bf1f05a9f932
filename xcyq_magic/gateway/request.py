"""A request, and the gateway's rules for it, checked before anything is sent."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.conversation import Parameters
from xcyq_magic.chat.given import has_surrogates
from xcyq_magic.chat.parts import Video
from xcyq_magic.errors import RequestError
from xcyq_magic.gateway.catalog import (
    MAX_VIDEO_MB,
    VARIABLE,
    VIDEO_MODELS,
    chain_of,
    family_of,
    interpolation,
    is_name,
    takes_video,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from xcyq_magic.chat.messages import Message
    from xcyq_magic.gateway.catalog import VideoForm


_WITHOUT_IT = "ask without the history (--once, once=True), or take that turn back (%chat_undo, undo())"
_BASE64 = 4 / 3  # bytes that travel for each byte of a file
MOST_STOPS = 4
_FAR_MORE = 5  # times the window: some take a million tokens where others of the family take 200,000
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
_FEWEST = 3  # letters of a name that stand for all of it
_NEAR = 0.8  # of 1, for a name to be suggested: of five letters, one may be wrong
_NOT_SENT = {"name", "note", "original"}  # of a part with media


@dataclass(frozen=True)
class ChatRequest:
    """One call of the endpoint ``/v1/chat/completions``.

    Attributes
    ----------
    response_format
        The field of that name, where it was made from the type of the answer; None where it was not.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: Parameters = field(default_factory=Parameters)
    stream: bool = True
    video_form: VideoForm = "image_url"
    response_format: Mapping[str, Any] | None = None


def meant(field: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `field` is nearly called; None for a field that means something else."""
    if field in _NEAR_FIELDS:
        return None
    names = list(names)
    begun = [name for name in names if name.startswith(field.lower())] if len(field) >= _FEWEST else []
    return begun[0] if len(begun) == 1 else next(iter(difflib.get_close_matches(field.lower(), names, 1, _NEAR)), None)


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
            msg = f"The {whose} holds half a character (a lone surrogate), which cannot be sent; nothing was sent."
            raise RequestError(msg, "Was a text cut in the middle of an emoji? Decode it again, or remove that part.")
    _check_videos(request, max_video_mb)
    check_parameters(request.parameters)


def check_model(name: str) -> None:
    """Refuse a name that no model can have, and a chain with one.

    Raises
    ------
    InputError
        It is not one word, or holds braces or a dollar.
    """
    if "," in name:
        chain_of(name)
        return
    if shown := interpolation(name):
        msg = f"A model's name cannot hold {shown}; nothing was sent."
        raise RequestError(msg, f"{VARIABLE} %chat_models lists the names.")
    if not is_name(name):
        if "?" in name:
            msg = f"A model's name holds no question mark, and {name!r} does."
            raise RequestError(msg, f"Try {name.strip('?') or 'gpt-5.5'}; %chat_models lists the names.")
        msg = f"A model's name is one word, not {name!r}."
        raise RequestError(msg, "Try gpt-5.5; %chat_models lists the names.")


def check_length(model: str, tokens: int) -> tuple[str, ...]:
    """Return a line on a prompt that is longer than the model is known to take; none for others.

    Parameters
    ----------
    model
        Its name.
    tokens
        About how many the whole prompt takes, with the history and what is attached.

    Raises
    ------
    RequestError
        It is five times as long.
    """
    family = family_of(model)
    if family is None or family.window is None or tokens <= family.window:
        return ()
    what = f"about {tokens:,} tokens, more than the {family.window:,} that all {family.name} models take"
    if tokens > _FAR_MORE * family.window:
        msg = f"The prompt with what goes along has {what}; nothing was sent."
        way_on = "Send a part: of a table, {{ df }} takes its first and last rows."
        raise RequestError(
            msg, f"{way_on} If it is the turns above that are long, ask without them (--once, once=True)."
        )
    return (f"The prompt with what goes along has {what}: it may be refused, or cut.",)


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
        smaller = "Make it smaller, for example with ffmpeg -i film.mp4 -vf scale=640:-2 -r 10 small.mp4"
        setting = f"%config GatewaySettings.max_video_mb = {math.ceil(bytes_sent / 1e6)}"
        raise RequestError(msg, f"{smaller}; if the gateway accepts more, {setting}.{where}")


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


def digest(request: ChatRequest, gateway: str) -> str:
    """Return the SHA-256 of what is asked of `gateway`.

    How a picture is called does not count, nor whether the reply is streamed. The schema of a type counts, for the
    system prompt holds it.
    """
    messages = [
        [m.role, [{k: v for k, v in p.to_dict().items() if k not in _NOT_SENT} for p in m.parts]]
        for m in request.messages
    ]
    form = request.video_form if any(m.videos for m in request.messages) else None
    asked = [gateway, request.model, messages, request.parameters.to_dict(), form]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()
