"""The API key, in a class that never shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from xcyq_magic.errors import KeyFormatError
from xcyq_magic.gateway.hiding import HIDDEN, hiding
from xcyq_magic.media.files import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from xcyq_magic.gateway.hiding import Hide

ENVIRONMENT_NAMES = ("XCYQ_API_KEY", "GLOBALAIOPC_API_KEY")  # the second is that of the gateway's quickstart
_SECRET = 8  # characters from which on a key can be one
_MOST_BYTES = 1024 * 1024  # of a .env
# export NAME = "value"  # a comment. As python-dotenv reads it, which the tests ask. Spaces belong to a value without
# quotes where more of it follows.
_DOTENV_LINE = re.compile(
    rf"^[ \t]*(?:export[ \t]+)?({'|'.join(ENVIRONMENT_NAMES)})[ \t]*="
    r"""(?:[ \t]*"([^"\n]*)"|[ \t]*'([^'\n]*)'|((?:[^ \t\n]|[ \t]+(?=[^ \t\n#]))*))(?:[ \t]+#.*)?[ \t]*$""",
    re.MULTILINE,
)
# As code, a dict, a shell or a .env writes it down.
_ASSIGNED = re.compile(
    rf"""((?:{"|".join(ENVIRONMENT_NAMES)})(?:=["']?|["']\s{{0,4}}\]?\s{{0,4}}[=:,]\s{{0,4}}["']))[^\s"'(){{}}$]{{{_SECRET},}}"""
)


class ApiKey:
    """An API key that goes into a header and nowhere else.

    Parameters
    ----------
    text
        The key; white space around it is dropped, and a pair of quotes.
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
        key = _unquoted(text)
        flaw = _flaw(key)
        if flaw:
            del text, key  # this frame is in the traceback of the error
            msg = f"The API key from {source} {flaw}; it is not used."
            raise KeyFormatError(msg, "Copy it again, whole and on one line: %chat_key asks for it without showing it.")
        # A short one (EMPTY, for a local server) is a word like any other.
        self._hide: Hide = hiding(key) if len(key) >= _SECRET else lambda text, _: (text, "")
        self._header: Callable[[str], str] = lambda scheme: f"{scheme} {key}".strip()

    @classmethod
    def of(cls, text: str | None, source: str) -> ApiKey | None:
        """Return the key that `source` holds; None if it holds none, or a blank."""
        if text is None or not _unquoted(text):
            return None
        try:
            return cls(text, source)
        except KeyFormatError as e:
            del text  # as above
            raise e.with_traceback(None) from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ApiKey | None:
        """Return the key in ``XCYQ_API_KEY``, else in ``GLOBALAIOPC_API_KEY``; None if neither holds one."""
        try:
            return next((k for name in ENVIRONMENT_NAMES if (k := cls.of(environment.get(name), name))), None)
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
            found = {
                line[0]: "".join(line[1:])
                for line in _DOTENV_LINE.findall(text.replace("\r\n", "\n").replace("\r", "\n"))
            }
            keys = (cls.of(found.get(name), "the .env file") for name in ENVIRONMENT_NAMES)
            return next((k for k in keys if k), None)
        except OSError:
            return None
        except KeyFormatError as e:
            del text, found  # as above
            e.hint = f"Write the key into that line of {folder / '.env'}, or type %chat_sandbox to work offline."
            raise e.with_traceback(None) from None

    def header(self, scheme: str) -> str:
        """Return the value of the ``Authorization`` header, such as ``Bearer KEY``."""
        return self._header(scheme)

    def hide(self, text: str) -> str:
        """Return `text` without the key: some gateways repeat it, in another case, escaped, or in base64."""
        return self._hide(text, True)[0]  # noqa: FBT003  # a closure's

    def hide_begun(self, text: str) -> tuple[str, str]:
        """Return what can be shown of a `text` that goes on, and its end, if that may be the beginning of the key."""
        return self._hide(text, False)  # noqa: FBT003  # as above

    def __repr__(self) -> str:
        return f"<ApiKey from {self.source}, hidden>"

    def __reduce__(self) -> NoReturn:
        msg = "An API key is not pickled or copied."
        raise TypeError(msg)


class NoKey(ApiKey):
    """What stands for the key where a server needs none: its source is ``""``, and no header is sent."""

    __slots__ = ()

    def __init__(self) -> None:
        self.source = ""
        self._hide = lambda text, _: (text, "")
        self._header = lambda _: ""


def hide_assigned(text: str) -> str:
    """Return `text` without what it gives ``XCYQ_API_KEY`` as its value: a cell that fails may never have set it."""
    return _ASSIGNED.sub(rf"\1{HIDDEN}", text)


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
        shown, self._held = self._key.hide_begun(self._held + piece)
        return shown

    def flush(self) -> str:
        """Return what was held back: nothing follows, so it is shown, unless it is the key."""
        held, self._held = self._held, ""
        return self._key.hide(held)


def note_of_file(folder: Path) -> str:
    """Return a sentence on a ``.env`` in `folder` that gave no key, with nothing of what it holds; ``""`` for none."""
    path = folder.absolute() / ".env"
    try:
        read_file(path, _MOST_BYTES)
    except FileNotFoundError:
        return ""
    except OSError as e:
        return f"{path} cannot be read ({e.strerror})."
    return f"{path} was read, and has no line {ENVIRONMENT_NAMES[0]}=… with a key."


def _unquoted(text: str) -> str:
    """Return a key as it was pasted without white space and one pair of quotes around it."""
    key = text.strip()
    return key[1:-1].strip() if len(key) > 1 and key[0] == key[-1] and key[0] in "\"'" else key


def _flaw(key: str) -> str | None:
    """Return why `key` cannot be one, without any of it; None if it can."""
    odd = sum(not "!" <= c <= "~" for c in key)
    if not key:
        return "is empty"
    if not odd:
        return None
    what = "a line break" if "\n" in key or "\r" in key else "a space or a character beyond ASCII"
    return f"holds {what} ({odd} of its {len(key)} characters)"
