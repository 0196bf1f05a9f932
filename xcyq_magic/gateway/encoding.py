"""Between our messages and the JSON of a request's body, both ways."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.given import said, text
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import DataUrl, Image, Media, MediaLink, Part, Text, Video, link
from xcyq_magic.media.video import SUFFIXES

if TYPE_CHECKING:
    from xcyq_magic.gateway.catalog import VideoForm
    from xcyq_magic.gateway.request import ChatRequest

_DATA_URL = re.compile(r"data:(?P<mime>[\w.+-]+/[\w.+-]+);base64,(?P<data>[A-Za-z0-9+/=\s]*)")


def encode(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a request: what the user set, the type of the answer, and usage in streams, else off.

    JSON-ready but for its media, which are `DataUrl`s: `to_json` writes them, ``json.dumps(…, default=str)`` does.
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [encode_message(m, request.video_form) for m in request.messages],
        **request.parameters.to_dict(),
    }
    if request.response_format is not None:
        body["response_format"] = request.response_format
    if request.stream:
        body["stream"] = True
        body.setdefault("stream_options", {"include_usage": True})
    return body


def encode_message(message: Message, video_form: VideoForm = "video_url") -> dict[str, Any]:
    """Return a message as the endpoint takes it: text as a string, with media as an array of parts."""
    if not message.media:
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": [_encode_part(p, video_form) for p in message.parts]}


def _encode_part(part: Part, video_form: VideoForm) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    url = part.url if isinstance(part, MediaLink) else part.data_url
    if part.kind == "image" or video_form == "image_url":
        return {"type": "image_url", "image_url": {"url": url}}
    if video_form == "file":
        return {"type": "file", "file": {"filename": _filename(part), "file_data": url}}
    return {"type": "video_url", "video_url": {"url": url}}


def _filename(part: Media) -> str:
    return part.name or f"video.{SUFFIXES.get(part.mime, 'mp4') if isinstance(part, Video) else 'mp4'}"


def to_json(body: dict[str, Any]) -> bytes:
    """Return the body as it is sent, in UTF-8.

    Its media are joined in as they are. Written as text they would be copied, looked through for characters to escape,
    and encoded: for 20 pictures of 1 MB that takes many times as long as joining them.
    """
    # A word that no prompt holds stands for each of them in the text.
    word, urls = f"media {secrets.token_hex(16)}", list[DataUrl]()

    def stand_in(value: object) -> str:
        if not isinstance(value, DataUrl):
            msg = f"a {type(value).__name__} is no JSON"
            raise TypeError(msg)
        urls.append(value)
        return word

    around = json.dumps(body, ensure_ascii=False, default=stand_in).encode().split(f'"{word}"'.encode())
    pieces = [around[0]]
    for url, after in zip(urls, around[1:], strict=True):
        prefix = json.dumps(url.prefix, ensure_ascii=False).encode()
        pieces += [prefix[:-1], url.base64, b'"', after]
    return b"".join(pieces)


def decode_message(record: dict[str, Any]) -> Message:
    """Undo `encode_message`. A picture's size and a video's length do not travel, nor the names of most."""
    content = record["content"]
    if isinstance(content, str):
        return Message.of(record["role"], said(record, "content"))
    return Message(record["role"], tuple(decode_part(p) for p in content))


def decode_part(record: dict[str, Any]) -> Part:
    """Return the content part of one part of a message.

    Raises
    ------
    ValueError
        It names its media in a way that no gateway takes.
    """
    kind = record["type"]
    if kind == "text":
        return Text(said(record, "text"))
    file = record["file"] if kind == "file" else {}
    address, name = file["file_data"] if kind == "file" else record[kind]["url"], text(file.get("filename")) or ""
    if str(address).lower().startswith(("http://", "https://")):
        return link(address, "image" if kind == "image_url" else "video", name)
    url = _DATA_URL.fullmatch(str(address))
    if url is None:
        msg = "media that are neither in the message itself nor at an address"
        raise ValueError(msg)
    data, mime = base64.b64decode(url["data"]), url["mime"]
    return Video(data, mime, name) if mime.startswith("video/") else Image(data, mime, 0, 0, name)
