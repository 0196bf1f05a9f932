"""About how many tokens a content part costs, before the gateway counts them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xcyq_magic.chat.parts import Image, MediaLink, Text
from xcyq_magic.gateway.catalog import CLAUDE, GEMINI, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcyq_magic.chat.completion import Usage
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.parts import Part
    from xcyq_magic.media.text_files import Document

_CHARS_PER_TOKEN = 4  # a rule of thumb of the model makers' documentation
# https://docs.claude.com/en/docs/build-with-claude/vision#calculate-image-costs
_CLAUDE_PIXELS = 750
# https://platform.openai.com/docs/guides/images-vision#calculating-costs: tiles of 512 pixels, after scaling.
_GPT_BASE, _GPT_TILE, _GPT_TILE_EDGE, _GPT_LONG_EDGE, _GPT_SHORT_EDGE = 70, 140, 512, 2048, 768
# https://ai.google.dev/gemini-api/docs/tokens#multimodal-tokens
_GEMINI_TILE, _GEMINI_SMALL_EDGE, _GEMINI_TILE_EDGE = 258, 384, 768
_VIDEO_PER_S = 263
# The fewest that any model counts: at its lowest resolution, with no sound.
_LEAST_VIDEO_PER_S = 66
_MOST_OF_LEAST_IMAGE = 200


def estimated_tokens(part: Part, model: str) -> int | None:
    """Return about how many tokens `part` costs the model; None where only the gateway can tell (an address)."""
    if isinstance(part, Text):
        return math.ceil(len(part.text) / _CHARS_PER_TOKEN)
    if isinstance(part, Image):
        return image_tokens(part.width, part.height, model)
    if isinstance(part, MediaLink) or part.duration_s is None:
        return None
    return math.ceil(part.duration_s * _VIDEO_PER_S)


def prompt_tokens(messages: Iterable[Message], model: str) -> int:
    """Return about how many tokens messages cost the model, addresses not counted."""
    return sum(estimated_tokens(part, model) or 0 for message in messages for part in message.parts)


def line_of(document: Document, model: str) -> str:
    """Return a line that says what a document is, about how many tokens it costs, and what was left out of it."""
    tokens = sum(estimated_tokens(part, model) or 0 for part in document.parts)
    said = ", ".join([*document.facts, f"about {tokens:,} token{'s' * (tokens != 1)}"])
    return f"{document.name}: {said}. {document.left_out}".rstrip()


def image_tokens(width: int, height: int, model: str) -> int:
    """Return about how many tokens a picture of so many pixels costs the model, by its maker's documentation.

    Parameters
    ----------
    width, height
        Pixels.
    model
        The model that sees it.
    """
    family = family_of(model)
    if family is CLAUDE:
        return math.ceil(width * height / _CLAUDE_PIXELS)
    if family is GEMINI:
        if max(width, height) <= _GEMINI_SMALL_EDGE:
            return _GEMINI_TILE
        edge = min(max(min(width, height) / 1.5, 256), _GEMINI_TILE_EDGE)
        return _GEMINI_TILE * math.ceil(width / edge) * math.ceil(height / edge)
    scale = min(1.0, _GPT_LONG_EDGE / max(width, height, 1))
    scale = min(scale, _GPT_SHORT_EDGE / max(min(width, height), 1))
    tiles = math.ceil(width * scale / _GPT_TILE_EDGE) * math.ceil(height * scale / _GPT_TILE_EDGE)
    return _GPT_BASE + _GPT_TILE * tiles


def least_media_tokens(messages: Iterable[Message]) -> int:
    """Return the fewest prompt tokens that the media of `messages` can cost any model.

    When the gateway reports fewer for the whole request, it seems to have dropped them. What is passed on by its
    address, and a video of unknown length, count nothing here.
    """
    least = 0
    for message in messages:
        least += sum(min(_MOST_OF_LEAST_IMAGE, i.width * i.height // _CLAUDE_PIXELS) for i in message.images)
        least += sum(int((v.duration_s or 0) * _LEAST_VIDEO_PER_S) for v in message.videos)
    return least


def ignored_media(messages: Sequence[Message], model: str, usage: Usage | None) -> str | None:
    """Return a line for the user where `usage` shows that the media of a request did not reach the model; else None.

    Parameters
    ----------
    messages
        Those of the request.
    model
        The model that was asked.
    usage
        What the gateway counted.
    """
    counted, least = usage.prompt_tokens if usage else None, least_media_tokens(messages)
    if counted is None or counted >= least:
        return None
    return (
        f"The gateway counted {counted:,} tokens for {model}, but the attachments take at least {least:,}: it seems to "
        "have dropped them."
    )
