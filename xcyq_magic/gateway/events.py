"""Server-Sent Events: bytes in, events and the JSON in them out, no I/O.

The rules are those of the WHATWG standard
(https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation), with
one difference: an event that the end of the stream cuts off before its blank line is not lost
(`flush`). Lines end at CR, LF or CRLF and nowhere else: `str.splitlines`, and with it httpx's
`iter_lines`, also splits at U+2028, U+2029 and U+0085, which may stand inside the JSON.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, NamedTuple

from xcyq_magic.errors import AnswerError

_OVERHEAD = 64  # bytes that Python needs for a line, however short
LARGEST_EVENT = 32 * 1024 * 1024  # bytes; far above any delta, far below what a kernel can bear
_MOST_DIGITS = 400
_DECODER = json.JSONDecoder(strict=False)
_LONGEST_DONE = 40
_DONE = re.compile(r"[\s\"']*\[?\s*done\s*\]?[\s\"']*", re.IGNORECASE)
# What stands between records of one event: the prefix again, a comment, the end of the stream.
_BETWEEN = re.compile(r"[\s,]*(?:data:[ \t]*|:[^\n]*(?:\n|$)|event:[^\n]*(?:\n|$))*[\s,]*")


class Event(NamedTuple):
    """One event: its data lines joined by newlines, and its type."""

    data: str
    type: str = "message"


class EventDecoder:
    """Decodes a stream of events from chunks of any size.

    Raises
    ------
    AnswerError
        From `decode`: an event is larger than `LARGEST_EVENT`.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # the unfinished line; a list, so that a long one costs no copies
        self._after_cr = False  # a chunk ended in CR: an LF that comes next belongs to it
        self._first = True
        self._pending = 0  # bytes of the unfinished line
        self._held = 0  # bytes of the event's lines so far
        self._data: list[str] = []
        self._type = ""
        self._bare = False  # within JSON that came without the prefix

    def decode(self, chunk: bytes) -> list[Event]:
        """Return the events that `chunk` completes."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        lines = chunk.splitlines()  # of bytes: at CR, LF and CRLF only
        rest = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        if lines and self._pieces:
            lines[0] = b"".join([*self._pieces, lines[0]])
            self._pieces.clear()
            self._pending = 0
        if rest:
            self._pieces.append(rest)
            self._pending += len(rest)
        events = [event for line in lines if (event := self._line(line))]
        if self._pending + self._held > LARGEST_EVENT:
            msg = f"The gateway sent an event of more than {LARGEST_EVENT >> 20} MiB; it was not read to its end."
            raise AnswerError(msg, "Check the address: %config GatewaySettings.base_url shows it.")
        return events

    def flush(self) -> list[Event]:
        """Return the event that the end of the stream left without its blank line, if there is one."""
        last = b"".join(self._pieces)
        self._pieces.clear()
        event = self._line(last) if last else None
        return [e for e in (event, self._dispatch()) if e]

    def _line(self, line: bytes) -> Event | None:
        if self._first:
            self._first = False
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.startswith(b"data: "):  # as almost all are
            return self._add(line[6:].decode("utf-8", "replace"))
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            return self._add(value.decode("utf-8", "replace"))
        if line.lstrip()[:1] in {b"{", b"}"} or (self._bare and line[:1] in {b" ", b"\t", b'"', b"]"}):
            self._bare = True  # JSON without its prefix: no field of a stream looks like it
            self._held += len(line) + _OVERHEAD
            self._data.append(line.decode("utf-8", "replace"))
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        return None  # a comment (no name), id, retry, or a field to ignore

    def _add(self, data: str) -> Event | None:
        """Take in a line of data; returns the event before it where a gateway leaves out the blank lines between."""
        before = None
        if len(self._data) == 1 and data.startswith(("{", "[DONE]")) and _is_json(self._data[0]):
            before = self._dispatch()
        self._held += len(data) + _OVERHEAD
        self._data.append(data)
        return before

    def _dispatch(self) -> Event | None:
        data, kind = self._data, self._type
        self._data, self._type, self._held, self._bare = [], "", 0, False
        return Event("\n".join(data), kind or "message") if data else None


def _is_json(text: str) -> bool:
    """Return whether a text is one JSON value; only records are tried."""
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return False
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def is_done(text: str) -> bool:
    """Return whether a text says that the stream has ended, in any spelling of ``[DONE]``."""
    return len(text) <= _LONGEST_DONE and _DONE.fullmatch(text) is not None


def records_of(text: str) -> tuple[list[Any], str]:
    """Return the JSON values of an event's data, and the rest that is none.

    One value is the rule. Several, the prefix ``data:`` again, and comments are what gateways make of it that join or
    forward lines.
    """
    stripped = text.strip()
    if not stripped or is_done(stripped):
        return (["[DONE]"], "") if stripped else ([], "")
    try:
        return [_loads(stripped)], ""
    except (ValueError, RecursionError):
        pass
    found: list[Any] = []
    at = _end_of_between(text, 0)
    while at < len(text):
        line_end = text.find("\n", at)
        line = text[at : line_end if line_end >= 0 else len(text)]
        if is_done(line):
            return [*found, "[DONE]"], ""
        try:
            value, at = _LONG_DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found, text[at:]
        found.append(value)
        at = _end_of_between(text, at)
    return found, ""


def _end_of_between(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _loads(text: str) -> Any:  # noqa: ANN401  # any JSON value
    try:
        value, end = _DECODER.raw_decode(text)  # quicker than `decode`, which also looks for blanks
    except ValueError:  # Python makes no int of thousands of digits; such a number is not known
        end = -1
    return value if end == len(text) else _LONG_DECODER.decode(text)


def _whole(digits: str) -> int | float:
    """Return a whole number; Python makes no int of thousands of digits, and such a number is not known."""
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


_LONG_DECODER = json.JSONDecoder(strict=False, parse_int=_whole)
