"""The API key, in a class that never shows it."""

from __future__ import annotations

import base64
import re
from html import escape
from typing import TYPE_CHECKING, NoReturn

from xcyq_magic.errors import KeyFormatError
from xcyq_magic.media.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

ENVIRONMENT_NAME = "XCYQ_API_KEY"
_SECRET = 8  # characters from which on a key can be one
_HIDDEN = "(the API key)"
_ESCAPES = ("%", "\\", "&")  # what a character written as something else begins with
_URL_SAFE = str.maketrans("+/", "-_")
_MOST_BYTES = 1024 * 1024  # of a .env
# export NAME = "value"  # a comment. As python-dotenv reads it, which the tests ask. Spaces belong to a value without
# quotes where more of it follows.
_DOTENV_LINE = re.compile(
    rf"^[ \t]*(?:export[ \t]+)?{ENVIRONMENT_NAME}[ \t]*="
    r"""(?:[ \t]*"([^"\n]*)"|[ \t]*'([^'\n]*)'|((?:[^ \t\n]|[ \t]+(?=[^ \t\n#]))*))(?:[ \t]+#.*)?[ \t]*$""",
    re.MULTILINE,
)


class ApiKey:
    """An API key that goes into a header and nowhere else.

    Parameters
    ----------
    text
        The key; white space around it is dropped.
    source
        Where it came from, in words: this much may be shown.

    Raises
    ------
    KeyFormatError
        It is empty, or holds what no header can carry. (httpx would raise an error that prints
        the whole value.)
    """

    __slots__ = ("_begins", "_header", "_hide", "source")

    def __init__(self, text: str, source: str = "Python") -> None:
        self.source = source
        key = text.strip()
        flaw = _flaw(key)
        if flaw:
            del text, key  # this frame is in the traceback of the error
            msg = f"The API key from {source} {flaw}; it is not used."
            raise KeyFormatError(msg, "Copy it again, whole and on one line: %chat_key asks for it without showing it.")
        # A short one (EMPTY, for a local server) is a word like any other.
        self._hide: Callable[[str], str]
        self._begins: Callable[[str], int]
        self._hide, self._begins = _hiding(key) if len(key) >= _SECRET else (str, lambda _: 0)
        self._header: Callable[[str], str] = lambda scheme: f"{scheme} {key}".strip()

    @classmethod
    def of(cls, text: str | None, source: str) -> ApiKey | None:
        """Return the key that `source` holds; None if it holds none, or a blank."""
        if text is None or not text.strip():
            return None
        try:
            return cls(text, source)
        except KeyFormatError as e:
            del text  # as above
            raise e.with_traceback(None) from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ApiKey | None:
        """Return the key in ``XCYQ_API_KEY``; None if that is not set, or blank."""
        try:
            return cls.of(environment.get(ENVIRONMENT_NAME), ENVIRONMENT_NAME)
        except KeyFormatError as e:
            del environment  # as above
            raise e.with_traceback(None) from None

    @classmethod
    def from_file(cls, folder: Path) -> ApiKey | None:
        """Return the key in the ``.env`` of `folder`; None if there is no such file, or no key in it.

        Read by hand: of the rules of such files only those for a value of one word matter here, for a key is one
        word. And nothing but the key is taken: a file that came with somebody's notebooks must not say where
        prompts are sent.
        """
        try:
            text = read_file(folder / ".env", _MOST_BYTES).decode("utf-8-sig", errors="replace")
            found = _DOTENV_LINE.findall(text.replace("\r\n", "\n").replace("\r", "\n"))
            return cls.of("".join(found[-1]) if found else None, "the .env file")
        except OSError:
            return None
        except KeyFormatError as e:
            del text, found  # as above
            raise e.with_traceback(None) from None

    def header(self, scheme: str) -> str:
        """Return the value of the ``Authorization`` header, such as ``Bearer KEY``."""
        return self._header(scheme)

    def hide(self, text: str) -> str:
        """Return `text` without the key: some gateways repeat it, in another case, escaped, or in base64."""
        return self._hide(text)

    def begins(self, text: str) -> int:
        """Return how many characters at the end of `text` may be the beginning of the key."""
        return self._begins(text)

    def __repr__(self) -> str:
        return f"<ApiKey from {self.source}, hidden>"

    def __reduce__(self) -> NoReturn:
        msg = "An API key is not pickled or copied."
        raise TypeError(msg)


class Hider:
    """Hides a key in a text that comes in pieces."""

    __slots__ = ("_held", "_key")

    def __init__(self, key: ApiKey) -> None:
        self._key = key
        self._held = ""

    def __call__(self, piece: str) -> str:
        """Return what can be shown with `piece`; an end that may be the beginning of the key waits for the next one."""
        if not piece:
            return ""
        text = self._key.hide(self._held + piece)
        held = self._key.begins(text)
        if not held:
            self._held = ""
            return text
        self._held = text[-held:]
        return text[:-held]

    def flush(self) -> str:
        """Return what was held back: nothing follows, so it was not the key."""
        held, self._held = self._held, ""
        return held


def _hiding(key: str) -> tuple[Callable[[str], str], Callable[[str], int]]:
    """Return `ApiKey.hide` and `ApiKey.begins`: closures, so that no object holds the key in the open."""
    forms = [form.lower() for form in (key, *_in_base64(key))]
    lowered, first, or_first = forms[0], forms[0][0], forms[0][0].upper()

    def hide(text: str) -> str:
        if len(text) < len(key):
            return text
        in_lower_case = text.lower()
        if any(form in in_lower_case for form in forms) or any(mark in text for mark in _ESCAPES):
            return re.sub(_written(key), _HIDDEN, text)  # compiled only where it may be found; `re` keeps it
        return text

    def begins(text: str) -> int:
        tail = text[1 - len(key) :]
        if first not in tail and or_first not in tail:
            return 0
        tail = tail.lower()
        at = tail.find(first)
        while at >= 0 and not lowered.startswith(tail[at:]):
            at = tail.find(first, at + 1)
        return len(tail) - at if at >= 0 else 0

    return hide, begins


def _in_base64(key: str) -> Iterator[str]:
    """Yield the characters that stand for all of `key` in the base64 of any text that holds it."""
    for before in range(3):  # bytes of a group of three that come before it
        code = base64.b64encode(bytes(before) + key.encode()).decode()
        form = code[-(-before * 8 // 6) : (before + len(key)) * 8 // 6]
        yield from {form, form.translate(_URL_SAFE)}


def _written(key: str) -> str:
    """Return the pattern of `key` as text, with any of its characters escaped as in URLs, JSON, Python or HTML."""

    def character(c: str) -> str:
        code = f"{ord(c):02x}"
        plain = c if c.isalnum() else rf"\\*{re.escape(c)}"
        named = f"{escape(c)}|" if escape(c) != c else ""  # before the plain one, with which & and &amp; begin alike
        return rf"(?:{named}{plain}|%{code}|\\+(?:u00|x){code}|&\#(?:x0*{code}|0*{ord(c)});)"

    in_base64 = [re.escape(form) for form in _in_base64(key)]
    firsts = re.escape("".join({form[0] for form in (key, *in_base64)} | set(_ESCAPES)))
    # What it begins with is said first, which lets `re` skip to it.
    firsts += firsts.upper() + firsts.lower()
    return rf"(?=[{firsts}])(?i:{''.join(map(character, key))}|(?:{'|'.join(in_base64)})[\w+/=-]{{0,4}})"


def _flaw(key: str) -> str | None:
    """Return why `key` cannot be one, without any of it; None if it can."""
    odd = sum(not "!" <= c <= "~" for c in key)
    if not key:
        return "is empty"
    if not odd:
        return None
    what = "a line break" if "\n" in key or "\r" in key else "a space or a character beyond ASCII"
    return f"holds {what} ({odd} such of {len(key)} characters)"
