"""The gateway's documented rules, as the gateway checks them: each broken one is a refusal in its shape.

Written apart from the client's own checks, so that each is a test of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.gateway.catalog import MODELS
from xcyq_magic.gateway.sandbox.cheats import CHEATS, base_of, unknown_cheat
from xcyq_magic.gateway.sandbox.media import holds_video
from xcyq_magic.gateway.sandbox.reports import parts_of
from xcyq_magic.gateway.sandbox.schemas import wrong_format

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLES = {"system", "user", "assistant"}
_MOST_STOPS = 4
_MOST_NESTED = 100
_MOST_CHOICES = 8


@dataclass(frozen=True)
class Refusal:
    """An error answer; `raw` is its body where that is not in the gateway's own shape."""

    status: int
    message: str = ""
    kind: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    raw: dict[str, Any] | str | None = None

    def body(self) -> dict[str, Any] | str:
        """Return the JSON of it, or its text."""
        if self.raw is not None:
            return self.raw
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def refuse(body: Any) -> Refusal | None:  # noqa: ANN401  # any JSON value
    """Return the refusal of a request's body; None when it keeps all rules."""
    if not isinstance(body, dict) or _is_deep(body):
        return Refusal(400, "We could not parse the JSON body of your request.")
    return _refuse_model(body) or _refuse_messages(body) or _refuse_parameters(body) or _refuse_format(body)


def _is_deep(body: dict[str, Any]) -> bool:
    """Return whether a body is nested more deeply than can be written again."""
    level: list[Any] = [body]
    for _ in range(_MOST_NESTED):
        level = [inner for v in level for inner in (v.values() if type(v) is dict else v if type(v) is list else ())]
        if not level:
            return False
    return True


def _refuse_model(body: dict[str, Any]) -> Refusal | None:
    model = body.get("model")
    if not isinstance(model, str) or not model:
        return Refusal(400, "you must provide a model parameter", param="model")
    if base_of(model) not in MODELS:
        return Refusal(404, f"The model `{model}` does not exist.", param="model", code="model_not_found")
    if (cheat := unknown_cheat(model)) is not None:
        return Refusal(404, f"The sandbox knows no cheat `{cheat}`, only {', '.join(CHEATS)}.", param="model")
    return None


def _refuse_messages(body: dict[str, Any]) -> Refusal | None:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Refusal(400, "'messages' must be a non-empty array.", param="messages")
    for n, message in enumerate(messages):
        where = f"messages[{n}]"
        role = message.get("role") if isinstance(message, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            return Refusal(400, f"Invalid value for {where}.role: use system, user or assistant.", param=where)
        content = message.get("content")
        if not isinstance(content, str | list) or not content:
            return Refusal(400, f"{where}.content must be a non-empty string or array of parts.", param=where)
        if refusal := _refuse_parts(message, where, MODELS[base_of(body["model"])].family.video):
            return refusal
    return None


def _refuse_parts(message: dict[str, Any], where: str, video: bool) -> Refusal | None:  # noqa: FBT001  # one caller
    for part in parts_of(message):
        kind = part.get("type") if isinstance(part, dict) else None
        holds = _PARTS.get(kind) if isinstance(kind, str) else None
        if holds is None:
            return Refusal(400, f"Invalid content part type {kind!r} in {where}.", param=where)
        if not holds(part):
            return Refusal(400, f"A part of type {kind!r} in {where} lacks its content.", param=where)
        try:
            is_video = holds_video(part)
        except ValueError as e:
            return Refusal(400, str(e), param=where)
        if is_video and not video:
            return Refusal(400, f"A part of type {kind!r} with a video is not supported by this model.", param=where)
    return None


def _has_address(part: dict[str, Any], name: str) -> bool:
    content = part.get(name)
    return isinstance(content, dict) and isinstance(content.get("url"), str) and bool(content["url"])


# What a part of each type must hold.
_PARTS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "text": lambda p: isinstance(p.get("text"), str),
    "image_url": lambda p: _has_address(p, "image_url"),
    "video_url": lambda p: _has_address(p, "video_url"),
    "file": lambda p: isinstance(p.get("file"), dict) and isinstance(p["file"].get("file_data"), str),
}


def _refuse_parameters(body: dict[str, Any]) -> Refusal | None:
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1)):
        value = body.get(name)
        if value is not None and not (_is_number(value) and low <= value <= high):
            return Refusal(400, f"Invalid '{name}': expected a number from {low} to {high}.", param=name)
    for name in ("max_tokens", "max_completion_tokens"):
        limit = body.get(name)
        if limit is not None and not (type(limit) is int and limit >= 1):
            return Refusal(400, f"Invalid '{name}': expected an integer of at least 1.", param=name)
    count = body.get("n")
    if count is not None and not (type(count) is int and 1 <= count <= _MOST_CHOICES):
        return Refusal(400, f"Invalid 'n': expected an integer from 1 to {_MOST_CHOICES}.", param="n")
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if stops is not None and not (
        isinstance(stops, list) and len(stops) <= _MOST_STOPS and all(isinstance(s, str) for s in stops)
    ):
        return Refusal(400, "Invalid 'stop': expected a string or up to 4 strings.", param="stop")
    if not isinstance(body.get("stream", False), bool):
        return Refusal(400, "Invalid 'stream': expected a boolean.", param="stream")
    return None


def _refuse_format(body: dict[str, Any]) -> Refusal | None:
    wrong = wrong_format(body["response_format"]) if "response_format" in body else ""
    return Refusal(400, wrong, param="response_format") if wrong else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
