"""The API key, in a class that never shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from xcyq_magic.errors import KeyFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENVIRONMENT_NAME = "XCYQ_API_KEY"


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
        key = text.strip()
        hint = "Copy it again, whole and on one line: %chat_key asks for it without showing it."
        if not key:
            msg = f"The API key from {source} is empty."
            raise KeyFormatError(msg, hint)
        if not all("!" <= c <= "~" for c in key):
            odd = sum(not "!" <= c <= "~" for c in key)
            what = "a line break" if "\n" in key or "\r" in key else "a space or a character beyond ASCII"
            msg = f"The API key from {source} holds {what} ({odd} such of {len(key)} characters); it is not used."
            raise KeyFormatError(msg, hint)
        self.source = source
        # In a closure, where neither repr, vars, pickle nor a traceback's list of locals finds it.
        self._hide: Callable[[str], str] = lambda text: text.replace(key, "(the API key)")
        self._header: Callable[[str], str] = lambda scheme: f"{scheme} {key}".strip()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ApiKey | None:
        """The key in ``XCYQ_API_KEY``; None if that is not set, or blank."""
        text = environment.get(ENVIRONMENT_NAME, "")
        return cls(text, ENVIRONMENT_NAME) if text.strip() else None

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
