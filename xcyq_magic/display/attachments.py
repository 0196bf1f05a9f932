"""What was attached to a prompt, seen: small pictures with their sizes, from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.chat.messages import Image
from xcyq_magic.display.markup import escape
from xcyq_magic.media.thumbnails import EDGE, thumbnail

if TYPE_CHECKING:
    from xcyq_magic.chat.messages import Media, Message

_MOST = 12  # shown for one message; more are counted


def attachments(prompt: Message | None) -> str:
    """The media of a prompt in a row, as HTML; nothing if there is none."""
    media = prompt.media if prompt else ()
    if not media:
        return ""
    more = len(media) - _MOST
    rest = f"<figure><figcaption>and {more} more</figcaption></figure>" if more > 0 else ""
    return f'<div class="xcyq-media xcyq-quiet">{"".join(map(figure, media[:_MOST]))}{rest}</div>'


def figure(part: Media, note: str = "") -> str:
    """One picture, or the name of a video, with what is known of it below, and a `note`."""
    caption = f"<figcaption>{escape(' · '.join(t for t in (caption_of(part), note) if t))}</figcaption>"
    if not isinstance(part, Image):
        return f"<figure>{caption}</figure>"
    width, height = _shown_size(part)
    name = escape(part.name or "picture")
    return f'<figure><img src="{thumbnail(part)}" alt="{name}" width="{width}" height="{height}">{caption}</figure>'


def _shown_size(image: Image) -> tuple[int, int]:
    """Pixels on the page, half of the thumbnail's."""
    scale = min(1.0, EDGE / max(image.width, image.height, 1)) / 2
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def caption_of(part: Media) -> str:
    """A picture or a video in words: what it is called, and how it is sent."""
    return " · ".join(t for t in (part.name, part.caption) if t)
