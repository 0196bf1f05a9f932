"""Values of a type as tables: of one reply, and of the replies of a comparison beside each other."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.json_values import whole_value
from xcyq_magic.display.markup import as_text, escape, to_html
from xcyq_magic.display.style import body, inlined, quiet, reply_body, unfolding
from xcyq_magic.errors import show_directions
from xcyq_magic.media.text.shown import count_of, fenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcyq_magic.chat.completion import Completion

_MOST_ROWS = 20  # of a table; the JSON below it has all
_MOST_FIELDS = 12  # of a row
_MOST_CHARS = 300  # of a cell
_MOST_NESTED = 20
_MOST_COMPARED = 60  # rows of a comparison
_DIFFERS = "\N{NOT EQUAL TO}"
_MISSING = "\N{EM DASH}"


def plain_value(value: Any, depth: int = 0) -> Any:  # noqa: ANN401  # of any type
    """Return a value in mappings, lists, texts and numbers, with fields by their names."""
    if depth > _MOST_NESTED:
        return "…"
    if isinstance(value, enum.Enum):
        return plain_value(value.value, depth + 1)
    if value is None or isinstance(value, str | int | float):
        return value
    fields = getattr(type(value), "model_fields", None)  # of a pydantic model
    if isinstance(fields, Mapping):
        value = {name: getattr(value, name, None) for name in fields} | (getattr(value, "model_extra", None) or {})
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain_value(name, depth + 1)): plain_value(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, Collection) and not isinstance(value, bytes | bytearray):
        return [plain_value(inner, depth + 1) for inner in value]
    return str(value)


def typed_html(completion: Completion) -> str:
    """Return a reply to a request with a type: its value as a table, what the model wrote folded below it.

    A reply that does not fit is shown as it was written, JSON as code.
    """
    if completion.data is None or completion.data == completion.text.strip():  # a text is its own value
        return reply_body(inlined(to_html(_written(completion.text))))
    return body(_value_html(plain_value(completion.data))) + folded_value(completion)


def folded_value(completion: Completion) -> str:
    """Return what the model wrote for a value, folded; nothing where there is no value."""
    if completion.data is None:
        return ""
    written = _written(completion.text)
    return unfolding("The reply" if written == completion.text else "JSON", to_html(written))


def _written(text: str) -> str:
    """Return what a model wrote as Markdown: JSON as code, one field a line."""
    found = whole_value(text)
    if found is not None and isinstance(found.value, dict | list):
        text = json.dumps(found.value, ensure_ascii=False, indent=2)
    elif not text.lstrip().startswith(("{", "[")):
        return text
    return fenced(text, "json")


def _value_html(value: Any) -> str:  # noqa: ANN401  # as `plain_value` gives it
    if isinstance(value, dict) and value:
        return _table((), ([name, _text(inner)] for name, inner in value.items()), len(value))
    if isinstance(value, list) and value:
        rows = value[:_MOST_ROWS]
        names = list(dict.fromkeys(name for row in value if isinstance(row, dict) for name in row))
        if names and all(isinstance(row, dict) for row in rows):
            cells = (
                [str(n), *(_text(row.get(name, "")) for name in names[:_MOST_FIELDS])] for n, row in _numbered(rows)
            )
            more = f", {count_of(len(names) - _MOST_FIELDS, 'more field')}" if len(names) > _MOST_FIELDS else ""
            return _table(["#", *names[:_MOST_FIELDS]], cells, len(value), more)
        return _table(["#", "value"], ([str(n), _text(row)] for n, row in _numbered(rows)), len(value))
    return f"<p><strong>{_said(_text(value))}</strong></p>"


def _numbered(rows: list[Any]) -> Iterator[tuple[int, Any]]:
    return enumerate(rows, 1)


def _table(headings: Sequence[str], rows: Iterator[list[str]], count: int, more: str = "") -> str:
    """Return a table as HTML; the first cell of a row is its name."""
    head = f"<thead><tr>{''.join(f'<th>{escape(h)}</th>' for h in headings)}</tr></thead>" if headings else ""
    lines = [
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{_said(cell)}</td>' for cell in cells)}</tr>"
        for (name, *cells), _ in zip(rows, range(_MOST_ROWS), strict=False)
    ]
    left = f"{count_of(count - _MOST_ROWS, 'more row')}" if count > _MOST_ROWS else ""
    note = quiet(f"and {(left + more).removeprefix(', ')} in the JSON") if left or more else ""
    return f"<table>{head}<tbody>{''.join(lines)}</tbody></table>{note}"


def _text(value: Any) -> str:  # noqa: ANN401  # as `plain_value` gives it
    """Return what stands in a cell: a text, a list of single values, or JSON."""
    if isinstance(value, list) and value and not any(isinstance(v, dict | list) for v in value):
        text = ", ".join(map(_text, value[:_MOST_CHARS]))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"


def _said(text: str) -> str:
    """Return what a model said as HTML for a cell, in its own direction and lines."""
    return as_text(show_directions(text, within="a reply")).replace("\n", "<br>")


# A comparison


@dataclasses.dataclass(frozen=True)
class _Row:
    """One field of the values of a comparison."""

    name: str
    cells: list[str]

    @property
    def differs(self) -> bool:
        """Whether not all have the same."""
        return len(set(self.cells)) > 1

    @property
    def marked_name(self) -> str:
        """Its name, with a sign before it where it differs."""
        return f"{_DIFFERS}\N{NO-BREAK SPACE}{self.name}" if self.differs else self.name

    def is_odd(self, cell: str) -> bool:
        """Return whether most of the others have another value."""
        most, count = Counter(self.cells).most_common(1)[0]
        return cell != most and 2 * count > len(self.cells)


def _rows(named: Mapping[str, Any]) -> list[_Row]:
    columns = [dict(_fields(plain_value(value), "")) for value in named.values()]
    paths = list(dict.fromkeys(path for column in columns for path in column))[:_MOST_COMPARED]
    return [_Row(path or "value", [column.get(path, _MISSING) for column in columns]) for path in paths]


def _fields(value: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # as `plain_value` gives it
    """Yield the path and the text of each field; a list of single values is one of them."""
    inner: Iterator[tuple[object, Any]] | None = None
    if isinstance(value, dict) and value:
        inner = iter(value.items())
    elif isinstance(value, list) and any(isinstance(v, dict | list) for v in value):
        inner = _numbered(value)
    if inner is None:
        yield path, _text(value)
        return
    for name, each in inner:
        yield from _fields(each, f"{path}.{name}" if path else str(name))


def compared_html(named: Mapping[str, Any]) -> str:
    """Return the values of a comparison as a table, a row for each field.

    A row that differs has a sign before its name, and a value that most do not share is bold.

    Parameters
    ----------
    named
        The values by the names of their columns.
    """
    rows = _rows(named)
    head = "".join(f"<th>{escape(heading)}</th>" for heading in ("", *named))
    lines = []
    for row in rows:
        texts = ((_said(cell), row.is_odd(cell)) for cell in row.cells)
        cells = "".join(f"<td><strong>{text}</strong></td>" if odd else f"<td>{text}</td>" for text, odd in texts)
        lines.append(f"<tr><th>{escape(row.marked_name)}</th>{cells}</tr>")
    table = body(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>")
    summary = _summary(rows, len(named))
    return (quiet(summary) if summary else "") + table


def compared_markdown(named: Mapping[str, Any]) -> str:
    """Return the same as Markdown."""
    rows = _rows(named)
    lines = [
        f"| {' | '.join(map(_cell, cells))} |" for cells in (["", *named], *([r.marked_name, *r.cells] for r in rows))
    ]
    lines.insert(1, f"|{'---|' * (len(named) + 1)}")
    return "\n\n".join(filter(None, [_summary(rows, len(named)), "\n".join(lines)]))


def _cell(text: str) -> str:
    return show_directions(" ".join(text.split())).replace("|", "\\|")


def _summary(rows: Sequence[_Row], count: int) -> str:
    """Return a line on `count` values; nothing where there is one, and so nothing to compare."""
    if count == 1:
        return ""
    differing = sum(row.differs for row in rows)
    return (
        f"{differing} of {count_of(len(rows), 'field')} differ ({_DIFFERS})."
        if differing
        else "The values are the same."
    )
