"""The gateway's catalogue: 45 models, their families and pools, and what each takes.

The names and limits are those of the gateway's documentation
(https://docs.xingchaoyiqing.com/llms.txt). The gateway adds models, so a name that is not here
is no error: `notice` says what it may be meant for.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from xcyq_magic.errors import OptionError
from xcyq_magic.media.images import MOST_LONG_EDGE, ImageLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_PNG_JPEG_WEBP = frozenset({"image/png", "image/jpeg", "image/webp"})
_WITH_GIF = _PNG_JPEG_WEBP | {"image/gif"}
_MANY = 20  # pictures in a request, up to which the larger size is taken
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
_NEAR = 0.75  # of 1, for a name to be suggested
# For a name that tells nothing about its maker: what every family takes.
_STRICTEST = ImageLimits(_PNG_JPEG_WEBP, long_edge=1568, max_bytes=3_932_160)
# Gemini takes 20 MB of request with what is in it (https://ai.google.dev/gemini-api/docs/video-understanding).
MAX_VIDEO_MB = 20.0
FEWEST = 2  # columns of a comparison
_WILDCARDS = re.compile(r"[*?\[\]]")
_MOST_BRACES = 50  # in a word; each takes a call within a call
_INTERPOLATION = re.compile(r"[{}$].*", re.DOTALL)
_LONGEST_NAME = 100  # characters, beyond which none is near to one of the catalogue
_MOST_SHOWN = 40  # characters of what is meant as a variable
VARIABLE = "For a variable, write {{ name }}."
_MOST_WORDS = 200  # expanded words; far above any limit of columns
_NEAREST = 3
_DATE = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest)(?:-v\d+(?::\d+)?)?$")
_BETWEEN_WORDS = re.compile(r"[-.:/@_]+")
_ELSEWHERE = re.compile(r"[/:@]")
_NEAR_PATTERN = 0.4  # of 1, for a name to be offered for a pattern
_EXAMPLE = "gpt-5.5 claude-opus-4-7"


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
    window
        Tokens that all of its models in the catalogue take, the reply among them.
    """

    name: str
    prefix: str
    images: ImageLimits
    video: bool = False
    many_long_edge: int | None = None
    window: int | None = None


# Some Claude models take a million tokens where they are asked for it, which is not for a gateway's client to do:
# https://platform.claude.com/docs/en/build-with-claude/context-windows. GPT: https://vercel.com/ai-gateway/models/gpt-5.5,
# Gemini: https://ai.google.dev/gemini-api/docs/models.
GPT = Family("GPT", "gpt-", ImageLimits(_WITH_GIF, long_edge=2048), window=1_000_000)
# Anthropic refuses an image whose base64 is over 5 MiB, which is 3.75 MiB of bytes.
CLAUDE = Family(
    "Claude",
    "claude-",
    ImageLimits(_WITH_GIF, long_edge=1568, max_bytes=3_932_160),
    many_long_edge=2000,
    window=200_000,
)
GEMINI = Family("Gemini", "gemini-", ImageLimits(_PNG_JPEG_WEBP, long_edge=2048), video=True, window=1_048_576)
FAMILIES = (GPT, CLAUDE, GEMINI)


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
    """Return the family of a model, known or not, by how its name begins; None if that tells nothing."""
    return next((f for f in FAMILIES if name.startswith(f.prefix)), None)


MODELS: dict[str, Model] = {
    base + suffix: Model(base + suffix, base, suffix, family)
    for base, suffixes in _SUFFIXES.items()
    if (family := family_of(base)) is not None
    for suffix in suffixes
}


def image_limits(name: str, count: int = 1) -> ImageLimits:
    """Return what each of `count` pictures may be for the model `name`, known or not."""
    model, family = MODELS.get(name), family_of(name)
    limits = model.images if model else family.images if family else _STRICTEST
    if family and family.many_long_edge and count > _MANY:
        return replace(limits, long_edge=min(limits.long_edge, family.many_long_edge))
    return limits


def takes_video(name: str) -> bool:
    """Return whether the model `name` may take video: only of GPT and Claude models it is known that they do not."""
    family = family_of(name)
    return family is None or family.video


VIDEO_MODELS = tuple(m.name for m in MODELS.values() if m.family.video and not m.suffix)


def same_model(asked: str, answered: str) -> bool:
    """Return whether two names are of one model: one may have its maker before it, or its date behind it."""
    one, other = (
        _DATE.sub("", name.strip().lower().rpartition("/")[2]).replace(".", "-") for name in (asked, answered)
    )
    return one == other


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a model: one word."""
    return bool(text.strip()) and text.isprintable() and not set(text) & {" ", "?"}


def suggest(name: str, known: Iterable[str] = ()) -> str | None:
    """Return the name that `name` may be meant for, of the catalogue unless others are `known`; None if none is near.

    Of several that fit it is the newest. What has its maker's name, a route or a tag in it (``sb/gpt-5.5``,
    ``qwen3:8b``) is no name of the catalogue's kind.
    """
    return _suggest(name, tuple(known) or tuple(MODELS))


@lru_cache(maxsize=256)  # each of many rows asks about the same names
def _suggest(name: str, names: tuple[str, ...]) -> str | None:
    typed = name[:_LONGEST_NAME].lower().replace("_", "-")
    if names[0] in MODELS and _ELSEWHERE.search(typed):
        return None
    begins = {word for known in names for word in _words(known)[:2]}
    alone = typed.isalpha() and typed not in begins  # a word such as preview, which tells of no model

    def likeness(known: str) -> tuple[int, float, tuple[int, ...], int]:
        how = 0 if alone else _likeness(_words(typed), _words(known))
        # Of two that are equally near, the newer one without a pool is the likelier.
        near = 0.0 if how else difflib.SequenceMatcher(None, typed, known.lower()).ratio()
        return how, near, _version(_words(known)), -len(known)

    nearest = max(names, key=likeness)
    how, near, *_ = likeness(nearest)
    return nearest if how or near >= _NEAR else None


def _likeness(typed: list[str], known: list[str]) -> int:
    """Return how likely a name is meant for another, by their words: from 5, for the same letters, down to 0."""
    line, version = (_line(typed), _version(typed))
    same_line = bool(line) and line == _line(known)
    if "".join(typed) == "".join(known):
        return 5
    rest = iter(known)
    begun = all(
        any(word == other or (n == len(typed) and other.startswith(word)) for other in rest)
        for n, word in enumerate(typed, 1)
    )
    if typed[-1] and line and begun and version == _version(known)[: len(version)]:
        return 4 if same_line else 3
    return (2 if version == _version(known) else 1) if same_line else 0  # of another version


def _words(name: str) -> list[str]:
    return _BETWEEN_WORDS.split(_DATE.sub("", name.lower()))


def _line(words: Sequence[str]) -> list[str]:
    """Return the words of a name that tell which of its maker's models it is, whatever the version."""
    return [word for word in words if word.isalpha() and word != "preview"]


def _version(words: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(word) for word in words if word.isdecimal())


def notice(name: str, listed: Collection[str] = ()) -> str | None:
    """Return a line to show for a name that is neither in the catalogue nor in the list of its server; None for others.

    Parameters
    ----------
    name
        Of a model.
    listed
        The names that its server lists, where the catalogue is not of that server, and the list is known.
    """
    if name in (listed or MODELS):
        return None
    near = suggest(name, listed)
    tail = f"Did you mean {near}?" if near else "%chat_models lists those that are known."
    return f"{name} is not in the {'list of this server' if listed else 'catalogue'}; requests use it as typed. {tail}"


# No form is taken by every gateway, and one that does not know the form drops the video silently. The first is the one
# that the gateway documents for Gemini: a video is "also passed with the type image_url".
VideoForm: TypeAlias = Literal["image_url", "video_url", "file"]
VIDEO_FORMS: tuple[VideoForm, ...] = get_args(VideoForm)
Known: TypeAlias = Callable[[], Collection[str]]


def interpolation(name: str) -> str | None:
    """Return what in a name is meant to be replaced by a variable, ``{model}`` or ``$model``; None if nothing is."""
    found = _INTERPOLATION.search(name)
    return found[0][:_MOST_SHOWN] if found else None


def asked_models(words: Sequence[str], repeat: int | None, most: int, known: Known = MODELS.keys) -> dict[str, str]:
    """Return the columns of a comparison: each one's name, and the model that it asks.

    Parameters
    ----------
    words
        Names, chains of them (``A,B``), patterns and braces, in the order of the columns.
    repeat
        How many times each model is asked; from two on, the columns are called ``NAME#1``, ``NAME#2``. None for once,
        where it cannot be more.
    most
        The limit of columns.
    known
        Gives the names that patterns may match; the catalogue's unless given.

    Raises
    ------
    OptionError
        There are too few or too many, one twice, or a pattern matches nothing; the message says what to type.
    """
    times = 1 if repeat is None else repeat
    if not isinstance(times, int) or times < 1:
        msg = f"repeat is a whole number of at least 1, not {repeat!r}; nothing was sent."
        raise OptionError(msg, "Try --repeat 2.")
    models = _expand(words, known, repeat)
    names = {f"{m}#{n}": m for m in models for n in range(1, times + 1)} if times > 1 else {m: m for m in models}
    if len(names) < FEWEST:
        what = f"{models[0]} alone" if models else "no model"
        msg = f"A comparison needs at least two models, and this has {what}; nothing was sent."
        twice = "" if repeat is None else ", or ask it twice: --repeat 2"
        way_on = f"Name another one{twice}." if models else f"Name them: {_EXAMPLE}."
        if models and "," in models[0]:
            way_on = f"A comma makes a chain, of which one model answers. Write spaces between columns: {_EXAMPLE}."
        raise OptionError(msg, way_on)
    if len(names) > most:
        each = f" ({len(models)} models, {times} times each)" if times > 1 else ""
        msg = f"These are {len(names)} columns{each}, and {most} is the limit; nothing was sent."
        raise OptionError(msg, "Name fewer, or raise ChatSettings.compare_limit.")
    return names


def models_named(words: Sequence[str], known: Known = MODELS.keys) -> list[str]:
    """Return the models that are meant by names, parts of names, patterns and braces, each once.

    Parameters
    ----------
    words
        What was typed.
    known
        Gives the names that may be meant; the catalogue's unless given. A name that is no part of any stands for
        itself.

    Raises
    ------
    OptionError
        A pattern matches nothing, or a brace has no other half.
    """
    found: list[str] = []
    for name in (name for word in words for name in _braces(word)):
        _check_comma(name, "," in name)
        parts_of = [] if _WILDCARDS.search(name) or name in known() else known()
        found += [model for model in parts_of if name.lower() in model.lower()] or _matches(name, known)
    return list(dict.fromkeys(found))


def _expand(words: Sequence[str], known: Known, repeat: int | None) -> list[str]:
    for word in words:
        _check_comma(word, word.endswith(","))
    named = [",".join(chain_of(name)) for word in words for name in _braces(word)]
    for name, times in Counter(n for n in named if not _WILDCARDS.search(n)).items():
        if times > 1 and repeat in {None, 1}:
            msg = f"{name} is named {times} times; nothing was sent."
            way_on = f"To ask it {times} times, name it once and add --repeat {times}." if repeat else "Name it once."
            raise OptionError(msg, way_on)
    return list(dict.fromkeys(model for name in named for model in _matches(name, known)))


def _check_comma(word: str, wrong: bool) -> None:  # noqa: FBT001  # where a comma may stand depends on the caller
    if wrong:
        msg = f"The models are separated by a comma ({word!r}); nothing was sent."
        raise OptionError(msg, f"Separate them with spaces: {_EXAMPLE}.")


def chain_of(text: str) -> tuple[str, ...]:
    """Return the models that `text` names, the first to be asked first: ``A,B,C`` or ``A{-official,,-fd}``.

    Where it holds no comma, it is the one name, whatever it looks like.

    Raises
    ------
    OptionError
        One of them is no name.
    """
    if "," not in text:
        return (text,)
    if text.count("{") != text.count("}"):
        raise _half_a_brace(text)
    names = [name.strip() for name in _braces(f"{{{text}}}")]
    for name in names:
        if not is_name(name) or _WILDCARDS.search(name):
            what = f"{name!r} is not one" if name else "one is missing"
            msg = f"The chain {text} takes the names of models, and {what}; nothing was sent."
            raise OptionError(msg, f"Write it without spaces: {_EXAMPLE.replace(' ', ',')}.")
    return tuple(dict.fromkeys(names))


def _half_a_brace(word: str) -> OptionError:
    msg = f"A brace in {word} has no partner; nothing was sent."
    return OptionError(msg, "Write it like gpt-5.5{,-official,-low}, without spaces.")


def _braces(word: str) -> list[str]:
    """Return the words that the braces of `word` stand for, as a shell expands them."""
    if "$" in word:
        msg = f"A model's name has no dollar sign ({word[:_MOST_BRACES]!r}); nothing was sent."
        raise OptionError(msg, VARIABLE)
    if word.count("{") > _MOST_BRACES:
        msg = f"{word[:_MOST_BRACES]}… has more than {_MOST_BRACES} braces; nothing was sent."
        raise OptionError(msg, "Name the models one by one, or write it like gpt-5.5{,-official,-low}.")
    words = list(islice(_expanded(word), _MOST_WORDS + 1))
    if len(words) > _MOST_WORDS:
        msg = f"{word} stands for more than {_MOST_WORDS} models; nothing was sent."
        raise OptionError(msg, "Name fewer.")
    return words


def _expanded(word: str) -> Iterator[str]:
    start = word.find("{")
    depth, cuts = 0, [start]
    for at in range(max(0, start), len(word)) if start >= 0 else ():
        depth += (word[at] == "{") - (word[at] == "}")
        if depth == 0 or (depth == 1 and word[at] == ","):
            cuts.append(at)
        if depth == 0:
            break
    if depth or "}" in (word if start < 0 else word[:start]):
        raise _half_a_brace(word)
    if len(cuts) == 2 and "{" not in word[start + 1 : cuts[1]]:  # noqa: PLR2004  # its braces: a variable of IPython's
        msg = f"There is no comma in {word[start : cuts[1] + 1]}, so nothing was sent."
        raise OptionError(msg, VARIABLE)
    if start < 0:
        yield word
    for begin, end in pairwise(cuts):
        yield from _expanded(word[:start] + word[begin + 1 : end] + word[cuts[-1] + 1 :])


def _matches(name: str, known: Known) -> list[str]:
    """Return the `known` models that a pattern matches, or the name itself."""
    if not _WILDCARDS.search(name):
        return [name]
    names = known()
    found = [model for model in names if fnmatchcase(model.lower(), name.lower())]
    if not found:
        near = difflib.get_close_matches(_WILDCARDS.sub("", name.lower()), names, _NEAREST, _NEAR_PATTERN)
        msg = f"No model's name matches {name}; nothing was sent."
        raise OptionError(msg, f"Near it are {', '.join(near)}." if near else "%chat_models lists the names.")
    return found
