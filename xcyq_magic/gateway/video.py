"""How a film travels: the forms of its content part, and how much of a request it may be."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

# No form is taken by every gateway, and one that does not know the form drops the film silently.
VideoForm: TypeAlias = Literal["video_url", "image_url", "file"]
VIDEO_FORMS: tuple[VideoForm, ...] = get_args(VideoForm)

# Gemini takes 20 MB of request with what is in it (https://ai.google.dev/gemini-api/docs/video-understanding).
MAX_VIDEO_MB = 20.0
