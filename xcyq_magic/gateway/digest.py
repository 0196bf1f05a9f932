"""What names a request: who asks the same again is asking for the same hash."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xcyq_magic.gateway.request import ChatRequest

_NOT_SENT = {"name", "note", "original"}  # of a part with media


def digest(request: ChatRequest, gateway: str) -> str:
    """The SHA-256 of what is asked of `gateway`.

    How a picture is called does not count, nor whether the reply is streamed.
    """
    messages = [
        [m.role, [{k: v for k, v in p.to_dict().items() if k not in _NOT_SENT} for p in m.parts]]
        for m in request.messages
    ]
    form = request.video_form if any(m.videos for m in request.messages) else None
    asked = [gateway, request.model, messages, request.parameters.to_dict(), form]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode("ascii")).hexdigest()
