"""The settled output of rows: a table with a row for each case, and lines on what became of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from itertools import islice
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.parts import Image
from xcyq_magic.chat.usage import amount
from xcyq_magic.display.bundle import caption_of, picture_element
from xcyq_magic.display.caption import duration, ending, joined, seconds, tokens, who
from xcyq_magic.display.markup import as_text, escape, plain_line, to_html, without_controls
from xcyq_magic.display.metrics import aligned
from xcyq_magic.display.style import ROWS_STYLE, body, quiet, styled, unfolding
from xcyq_magic.errors import MediaError, show_directions
from xcyq_magic.media.text.shown import count_of
from xcyq_magic.media.values import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.parts import Media
    from xcyq_magic.chat.rows import Row, Rows
    from xcyq_magic.display.bundle import Bundle

_SEEN = 20  # rows above the fold
_FAILED_FIRST = 10  # of them: a thousand failures do not hide what was answered
_MOST_ROWS = 300
_MOST_HTML = 150_000  # characters of the table: a notebook with it can still be opened
_MOST_PLAIN = 60  # rows, as pandas prints them
_MOST_FIELDS = 12
_MOST_MEDIA = 3
_THUMBNAIL = 128  # pixels along a side
_MOST_HINTS = 3
_LABEL_CHARS, _CASE_CHARS, _FIELD_CHARS, _PLAIN_CHARS = 40, 160, 240, 60
_READ = 4  # times as many characters of a text are read as are shown of it
_SHORT_S = 60
_TAG = re.compile(r'<(?:[^">]|"[^"]*")*>')
_END = re.compile(r"</(?:t[dh]|li|p|h\d|pre|div)>|<br>")  # of what does not stand on a line with what follows
_OBJECT = re.compile(r"<.*>")  # what says no more of a picture than that it is one, and where it lies
_REPLY = "reply"


def rows_bundle(rows: Rows[Any], label: str = "") -> Bundle:
    """Return the settled output of rows; `label` stands in its caption."""
    order = _in_order(rows)
    names, hidden_fields = _fields_of(order)
    lines = within_bounds(_row_html(row, names) for row in order)
    head = "".join(f"<th>{escape(name)}</th>" for name in _headings(names))
    caption, below = _caption(rows, label), what_to_do(rows)
    left_out = _left_out(rows, order[len(lines) :], hidden_fields)
    parts = [ROWS_STYLE, quiet(caption), folded_table(head, lines, _SEEN, "row")]
    parts += map(quiet, [*left_out, *below])
    return {"text/html": styled("".join(parts)), "text/plain": _plain(rows, label)}


def latest_html(rows: Iterable[Row[Any]]) -> str:
    """Return the rows that ended last, a line each, as HTML."""
    lines = "".join(f"<tr>{case_cells(row)}{answer_cell(row)}</tr>" for row in rows)
    return body(f'<table class="xcyq-rows xcyq-latest"><tbody>{lines}</tbody></table>') if lines else ""


def case_cells(row: Row[Any], *, media: bool = False) -> str:
    """Return the cells that say which case a row is about, as HTML; its pictures are in them with `media`."""
    case = _said(_case(row, _CASE_CHARS))
    return f"<td>{_said(label_of(row))}</td><td>{case}{_media(row.media) if media else ''}</td>"


def answer_cell(row: Row[Any], score: str = "") -> str:
    """Return one cell for an answer, or for its failure, as HTML; `score` stands before an answer."""
    if row.error is not None:
        return _failed(row, 1)
    before = f"<strong>{escape(score)}</strong> " if score else ""
    return f"<td>{before}{_said(_answer_in_a_line(row, _FIELD_CHARS))}</td>"


def _answer_in_a_line(row: Row[Any], chars: int) -> str:
    names = [*row.fields]
    cells = [_field(row, name, chars) for name in names]
    return ", ".join(cells if names == [_REPLY] else [f"{n}: {cell}" for n, cell in zip(names, cells, strict=True)])


def case_texts(row: Row[Any]) -> list[str]:
    """Return the texts of `case_cells`."""
    return [label_of(row), _case(row, _PLAIN_CHARS)]


def answer_text(row: Row[Any], score: str = "") -> str:
    """Return the text of `answer_cell`."""
    if row.error is not None:
        return _row_texts(row, [_REPLY])[-1]
    return f"{score} {_answer_in_a_line(row, _PLAIN_CHARS)}".lstrip()


def _plain(rows: Rows[Any], label: str) -> str:
    """Return the rows as text, in columns."""
    order = _in_order(rows)
    shown = order[:_MOST_PLAIN]
    names, hidden_fields = _fields_of(shown)
    table = aligned([_headings(names), *(_row_texts(row, names) for row in shown)]) if shown else []
    lines = [*_left_out(rows, order[len(shown) :], hidden_fields), *what_to_do(rows)]
    said = [plain_line(f"[{line}]") for line in (_caption(rows, label), *lines)]
    return without_controls("\n".join([said[0], "", *table, "", *said[1:]]).rstrip())


# Which rows, and which of their fields


def _in_order(rows: Rows[Any]) -> list[Row[Any]]:
    """Return the rows that were asked: some failures, what was answered, the other failures."""
    asked = [r for r in rows if r.asked]
    failed = [r for r in asked if r.error is not None]
    return [*failed[:_FAILED_FIRST], *(r for r in asked if r.error is None), *failed[_FAILED_FIRST:]]


def _fields_of(rows: Sequence[Row[Any]]) -> tuple[list[str], int]:
    """Return the names of the answers' fields, and how many more there are."""
    names = list(dict.fromkeys(name for row in rows[:_MOST_ROWS] for name in row.fields)) or [_REPLY]
    return names[:_MOST_FIELDS], max(0, len(names) - _MOST_FIELDS)


def within_bounds(lines: Iterable[str]) -> list[str]:
    """Return the first lines of a table, as many as a notebook can hold and still be opened."""
    within: list[str] = []
    room = _MOST_HTML
    for line in islice(lines, _MOST_ROWS):
        room -= len(line)
        if room < 0:
            break
        within.append(line)
    return within


def _headings(names: Sequence[str]) -> list[str]:
    return ["row", "case", *(_short(name, _LABEL_CHARS) for name in names)]


# One row


def folded_table(head: str, lines: Sequence[str], seen: int, what: str) -> str:
    """Return a table as HTML, the lines after the first ones folded; nothing if there are none.

    Parameters
    ----------
    head, lines
        HTML of the headings' cells, and of each line.
    seen
        How many lines are seen.
    what
        What a line is.
    """
    first, others = ("".join(part) for part in (lines[:seen], lines[seen:]))
    parts = [body(_table(head, first))] if first else []
    if others:
        parts.append(unfolding(f"{count_of(len(lines) - seen, f'more {what}')}", _table(head, others)))
    return "".join(parts)


def _table(head: str, lines: str) -> str:
    return f'<table class="xcyq-rows"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _row_html(row: Row[Any], names: Sequence[str]) -> str:
    answer = _failed(row, len(names)) if row.error is not None else _answer(row, names)
    return f"<tr>{case_cells(row, media=True)}{answer}</tr>"


def _answer(row: Row[Any], names: Sequence[str]) -> str:
    cells = [_said(_field(row, name, _FIELD_CHARS)) for name in names]
    if row.completion is not None and (end := ending(row.completion)):
        cells[0] += quiet(end)
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _field(row: Row[Any], name: str, chars: int) -> str:
    fields = row.fields
    return _short(_plain_text(row) if row.data is None and name in fields else fields.get(name), chars)


def _failed(row: Row[Any], columns: int) -> str:
    """Return the cell of a row that failed, over all columns of an answer; a sign and a word say it without colour."""
    came = _said(_short(_plain_text(row), _FIELD_CHARS))
    span = f' colspan="{columns}"' if columns > 1 else ""
    said = f"<strong>{escape(_how(row))}</strong> {escape(_why(row, _FIELD_CHARS))}"
    return (
        f'<td class="xcyq-row-failed"{span} style="text-align:left">{said}{f"<div>{came}</div>" if came else ""}</td>'
    )


def _how(row: Row[Any]) -> str:
    return "■ stopped" if _is_stopped(row) else "⚠ failed"


def _why(row: Row[Any], chars: int) -> str:
    return "" if row.error is None or _is_stopped(row) else _short(row.error.message, chars)


def _is_stopped(row: Row[Any]) -> bool:
    return row.completion is not None and row.completion.partial == "stopped"


def _media(media: Sequence[Media]) -> str:
    shown = []
    for part in media[:_MOST_MEDIA]:
        try:
            picture = picture_element(part, _THUMBNAIL) if isinstance(part, Image) else escape(caption_of(part))
        except MediaError:
            picture = escape(caption_of(part))
        shown.append(picture)
    more = len(media) - len(shown)
    return f"<div>{' '.join(shown)}{f' and {more} more' if more else ''}</div>" if shown else ""


def _row_texts(row: Row[Any], names: Sequence[str]) -> list[str]:
    """Return the cells of a row as text."""
    if row.error is not None:
        said = (_how(row), _why(row, 2 * _PLAIN_CHARS), _short(_plain_text(row), _PLAIN_CHARS))
        answer = [" ".join(filter(None, said)), *[""] * (len(names) - 1)]
    else:
        answer = [_field(row, name, _PLAIN_CHARS) for name in names]
    return [*case_texts(row), *answer]


# Values in short


def _said(text: str) -> str:
    """Return what a reply or a case says, for a cell."""
    return as_text(show_directions(text, within="a reply"))


def label_of(row: Row[Any]) -> str:
    """Return what tells a row from others, in short."""
    return _short(row.label, _LABEL_CHARS)


def _case(row: Row[Any], chars: int) -> str:
    case = row.case
    if isinstance(case, Mapping):
        if {*case} == {"key", "value"} and case["key"] is row.label:  # a pair of a mapping
            return _short(case["value"], chars)
        values = {name: _short(case[name], chars) for name in islice(case, _MOST_FIELDS)}
        seen = (f"{name}: {text}" for name, text in values.items() if not (row.media and _OBJECT.fullmatch(text)))
        return _short(", ".join(seen), chars)
    text = _short(case, chars)
    return "" if row.media and _OBJECT.fullmatch(text) else text


def _plain_text(row: Row[Any]) -> str:
    """Return the beginning of a reply as it reads, without the signs of its Markdown."""
    begin = row.text[: _READ * _FIELD_CHARS]
    text = unescape(_TAG.sub("", _END.sub(r"\g<0> ", to_html(begin))))
    return text if len(begin) == len(row.text) else f"{text} …"


def _short(value: Any, chars: int) -> str:  # noqa: ANN401  # whatever a case or an answer holds
    """Return a value on one line of so many characters at most."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        text = ", ".join(_described(item, chars) for item in value[:_MOST_FIELDS]) + ", …" * (len(value) > _MOST_FIELDS)
    else:
        text = _described(value, _READ * chars)
    flat = " ".join(text[: _READ * chars].split())
    return flat if len(flat) <= chars and len(text) <= _READ * chars else f"{flat[: chars - 1].rstrip()}…"


def _described(value: Any, chars: int) -> str:  # noqa: ANN401  # as above
    """Return a value as text of little more than `chars` characters; a string stays whole in `describe`."""
    try:
        return describe(value, chars)[: chars + 1]
    except MediaError:  # its repr fails
        return f"<{type(value).__name__}>"


# Lines about all


def _caption(rows: Rows[Any], label: str) -> str:
    whose = _who(rows.model, [r.completion for r in rows if r.completion is not None])
    return joined(whose, label, count_of(len(rows), "row"), figures(rows))


def figures(rows: Rows[Any]) -> str:
    """Return what rows took, and how many of them have no whole answer."""
    completions = [r.completion for r in rows if r.completion is not None]
    stopped = sum(map(_is_stopped, rows))
    unasked = sum(not r.asked for r in rows)
    failed = len(rows.failed) - stopped - unasked
    before = sum(c.cached for c in completions)
    took, usage, cost = rows.duration_s, rows.usage, rows.cost
    return joined(
        *(f"{n:,} {what}" for n, what in ((failed, "failed"), (stopped, "stopped"), (unasked, "not asked")) if n),
        f"{before:,} answered before" if before else "",
        "" if took is None else seconds(took) if took < _SHORT_S else duration(took),
        tokens(usage) if usage else "",
        "" if cost is None else f"cost {amount(cost)}",
    )


def _who(model: str, completions: Sequence[Completion]) -> str:
    """Return the model that was asked and who answered; of a chain, how many rows each was asked about."""
    if "," not in model:
        return who(model, [c.model for c in completions])
    by: dict[str, list[str]] = {}
    for completion in completions:
        by.setdefault(completion.requested_model, []).append(completion.model)
    counts = ", ".join(f"{len(names):,} by {who(asked, names)}" for asked, names in by.items())
    return f"{model} ({counts})" if counts else model


def _left_out(rows: Rows[Any], hidden: Sequence[Row[Any]], fields: int) -> list[str]:
    lines = []
    if hidden:
        lines.append(f"{count_of(len(hidden), 'more row')} in _rows; _rows.to_frame() is a table of all {len(rows):,}.")
    if fields:
        lines.append(f"{count_of(fields, 'more field')} of each answer in its .data.")
    return lines


def what_to_do(rows: Rows[Any], what: str = "row") -> list[str]:
    """Return what to do about rows that have no answer; `what` is said of one."""
    failed = rows.failed
    hints = [r.error.hint for r in failed if r.asked and r.error is not None and r.error.hint]
    again = f"{count_of(len(failed), what)} without a complete answer: run the cell again, and only these are asked."
    once = [h for h in dict.fromkeys(hints) if "un the cell again" not in h][:_MOST_HINTS]
    return [*once, again] if failed else []
