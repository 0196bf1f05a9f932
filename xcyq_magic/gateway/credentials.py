"""The API key, in a class that never shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from xcyq_magic.errors import KeyFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ENVIRONMENT_NAME = "XCYQ_API_KEY"
_SECRET = 8  # characters from which on a key can be one
_HIDDEN = "(the API key)"
# export NAME = "value"  # a comment. As python-dotenv reads it, which the tests ask.
_DOTENV_LINE = re.compile(
    rf"^[ \t]*(?:export[ \t]+)?{ENVIRONMENT_NAME}[ \t]*="
    r"""(?:[ \t]*"([^"\n]*)"|[ \t]*'([^'\n]*)'|(.*?))(?:[ \t]+#.*)?[ \t]*$""",
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

    __slots__ = ("_header", "_hide", "source")

    def __init__(self, text: str, source: str = "Python") -> None:
        self.source = source
        key = text.strip()
        flaw = _flaw(key)
        if flaw:
            del text, key  # this frame is in the traceback of the error
            msg = f"The API key from {source} {flaw}; it is not used."
            raise KeyFormatError(msg, "Copy it again, whole and on one line: %chat_key asks for it without showing it.")
        # A short one (EMPTY, for a local server) is a word like any other.
        self._hide: Callable[[str], str] = lambda text: text.replace(key, _HIDDEN) if len(key) >= _SECRET else text
        self._header: Callable[[str], str] = lambda scheme: f"{scheme} {key}".strip()

    @classmethod
    def of(cls, text: str | None, source: str) -> ApiKey | None:
        """The key that `source` holds; None if it holds none, or a blank."""
        if text is None or not text.strip():
            return None
        try:
            return cls(text, source)
        except KeyFormatError as e:
            del text  # as above
            raise e.with_traceback(None) from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ApiKey | None:
        """The key in ``XCYQ_API_KEY``; None if that is not set, or blank."""
        try:
            return cls.of(environment.get(ENVIRONMENT_NAME), ENVIRONMENT_NAME)
        except KeyFormatError as e:
            del environment  # as above
            raise e.with_traceback(None) from None

    @classmethod
    def from_file(cls, folder: Path) -> ApiKey | None:
        """The key in the ``.env`` of `folder`; None if there is no such file, or no key in it.

        Read by hand: of the rules of such files only those for a value of one word matter here, for a key is one
        word. And nothing but the key is taken: a file that came with somebody's notebooks must not say where
        prompts are sent.
        """
        try:
            found = _DOTENV_LINE.findall((folder / ".env").read_text("utf-8-sig", errors="replace"))
            return cls.of("".join(found[-1]) if found else None, "the .env file")
        except OSError:
            return None
        except KeyFormatError as e:
            del found  # as above
            raise e.with_traceback(None) from None

    def header(self, scheme: str) -> str:
        """The value of the ``Authorization`` header, such as ``Bearer KEY``."""
        return self._header(scheme)

    def hide(self, text: str) -> str:
        """`text` without the key, should it be in there: some gateways repeat it in their errors."""
        return self._hide(text)

    def __repr__(self) -> str:
        return f"<ApiKey from {self.source}, hidden>"

    def __reduce__(self) -> NoReturn:
        msg = "An API key is not pickled or copied."
        raise TypeError(msg)


def _flaw(key: str) -> str | None:
    """Why `key` cannot be one, without any of it; None if it can."""
    odd = sum(not "!" <= c <= "~" for c in key)
    if not key:
        return "is empty"
    if not odd:
        return None
    what = "a line break" if "\n" in key or "\r" in key else "a space or a character beyond ASCII"
    return f"holds {what} ({odd} such of {len(key)} characters)"
