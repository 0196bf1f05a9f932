"""The gateway's catalogue: 45 models, their families and pools, and what each takes.

The names and limits are those of the gateway's documentation
(https://docs.xingchaoyiqing.com/llms.txt). The gateway adds models, so a name that is not here
is no error: `notice` says what it may be meant for.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from xcyq_magic.media.limits import MOST_LONG_EDGE, ImageLimits

_PNG_JPEG_WEBP = frozenset({"image/png", "image/jpeg", "image/webp"})
_WITH_GIF = _PNG_JPEG_WEBP | {"image/gif"}


@dataclass(frozen=True)
class Family:
    """Models of one maker.

    Attributes
    ----------
    name, prefix
        ``Claude``, and how its models' names begin.
    images
        What a picture may be.
    video
        Whether its models take video.
    many_long_edge
        Pixels of a picture's longer side over which a request with many pictures is refused; None for no such rule.
    """

    name: str
    prefix: str
    images: ImageLimits
    video: bool = False
    many_long_edge: int | None = None


GPT = Family("GPT", "gpt-", ImageLimits(_WITH_GIF, long_edge=2048))
# Anthropic refuses an image whose base64 is over 5 MiB, which is 3.75 MiB of bytes.
CLAUDE = Family("Claude", "claude-", ImageLimits(_WITH_GIF, long_edge=1568, max_bytes=3_932_160), many_long_edge=2000)
_MANY = 20  # pictures in a request, up to which the larger size is taken
GEMINI = Family("Gemini", "gemini-", ImageLimits(_PNG_JPEG_WEBP, long_edge=2048), video=True)
FAMILIES = (GPT, CLAUDE, GEMINI)

POOLS = {
    "": "standard",
    "-official": "official",
    "-hc": "high-quality (AWS or premium accounts)",
    "-fd": "proxy pool, mixed accounts",
    "-low": "budget",
}

_GPT_SUFFIXES = ("", "-official", "-hc", "-fd", "-low")
_CLAUDE_SUFFIXES = ("", "-official", "-hc", "-fd")
_GEMINI_SUFFIXES = ("", "-official", "-low")

_SUFFIXES = {
    "gpt-5.4": _GPT_SUFFIXES,
    "gpt-5.5": _GPT_SUFFIXES,
    "claude-haiku-4-5": _CLAUDE_SUFFIXES,
    "claude-opus-4-5": _CLAUDE_SUFFIXES,
    "claude-opus-4-6": _CLAUDE_SUFFIXES,
    "claude-opus-4-7": _CLAUDE_SUFFIXES,
    "claude-sonnet-4-5": _CLAUDE_SUFFIXES,
    "claude-sonnet-4-6": _CLAUDE_SUFFIXES,
    "gemini-2.5-pro": _GEMINI_SUFFIXES,
    "gemini-3-flash-preview": _GEMINI_SUFFIXES,
    "gemini-3.1-pro-preview": _GEMINI_SUFFIXES,
    "gemini-2.5-flash-lite": ("",),
    "gemini-3.1-flash-lite-preview": ("",),
}


@dataclass(frozen=True)
class Model:
    """One name of the catalogue."""

    name: str
    base: str
    suffix: str
    family: Family

    @property
    def pool(self) -> str:
        """Where its answers come from, in words."""
        return POOLS[self.suffix]

    @property
    def images(self) -> ImageLimits:
        """What a picture may be for this model."""
        if self.base == "claude-opus-4-7":  # sees finer than the rest of its family
            return ImageLimits(self.family.images.mimes, MOST_LONG_EDGE, self.family.images.max_bytes)
        return self.family.images


def family_of(name: str) -> Family | None:
    """The family of a model, known or not, by how its name begins; None if that tells nothing."""
    return next((f for f in FAMILIES if name.startswith(f.prefix)), None)


MODELS: dict[str, Model] = {
    base + suffix: Model(base + suffix, base, suffix, family)
    for base, suffixes in _SUFFIXES.items()
    if (family := family_of(base)) is not None
    for suffix in suffixes
}

_NEAR = 0.75  # of 1, for a name to be suggested

# For a name that tells nothing about its maker: what every family takes.
_STRICTEST = ImageLimits(_PNG_JPEG_WEBP, long_edge=1568, max_bytes=3_932_160)


def image_limits(name: str, count: int = 1) -> ImageLimits:
    """What each of `count` pictures may be for the model `name`, known or not."""
    model, family = MODELS.get(name), family_of(name)
    limits = model.images if model else family.images if family else _STRICTEST
    if family and family.many_long_edge and count > _MANY:
        return replace(limits, long_edge=min(limits.long_edge, family.many_long_edge))
    return limits


def takes_video(name: str) -> bool:
    """Whether the model `name` may take video: only of GPT and Claude models it is known that they do not."""
    family = family_of(name)
    return family is None or family.video


VIDEO_MODELS = tuple(m.name for m in MODELS.values() if m.family.video and not m.suffix)


def suggest(name: str) -> str | None:
    """The known model that `name` may be meant for; None if nothing is near."""
    typed = name.lower().replace("_", "-")

    def nearness(known: str) -> tuple[float, int]:
        # Of two that are equally near, the one without a pool is the likelier.
        return difflib.SequenceMatcher(None, typed, known).ratio(), -len(known)

    nearest = max(MODELS, key=nearness)
    return nearest if nearness(nearest)[0] >= _NEAR else None


def notice(name: str) -> str | None:
    """A line to show for a name that is not in the catalogue; None for a known one."""
    if name in MODELS:
        return None
    near = suggest(name)
    tail = f"Did you mean {near}?" if near else "%chat_models lists those that are known."
    return f"{name} is not in the catalogue; it is sent all the same. {tail}"
