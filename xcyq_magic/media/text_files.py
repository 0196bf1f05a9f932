"""Text files as fenced text under their names: bounded, with plain line ends, JSON by its structure, tables by rows."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from xcyq_magic.chat.parts import Text, file_size
from xcyq_magic.errors import MediaError
from xcyq_magic.media.cells import cell_of, parts_of_cells
from xcyq_magic.media.files import open_regular
from xcyq_magic.media.secrets import is_private, mask
from xcyq_magic.media.table_files import TABLES, text_of_table
from xcyq_magic.media.text.decoding import Decoded, decoded
from xcyq_magic.media.text.json_text import shortened_json
from xcyq_magic.media.text.shown import VALUE_CHARS, Shown, count_of, fenced, limit

if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from xcyq_magic.chat.parts import Part

DOCUMENT_CHARS = 100_000
_MOST_READ = 32 * 1024 * 1024
_END = 4  # bytes of a character, at most
_MOST_PICTURES = 20  # of a notebook
_DOCUMENTS, VALUES = "document_chars", "value_chars"  # the settings


@dataclass(frozen=True)
class Bounds:
    """How long what stands for a file may be.

    Attributes
    ----------
    document
        Characters of a text, or of all texts of a folder.
    value
        Characters of a table.
    read
        Bytes of a file; of a longer one, the two ends are read.
    """

    document: int = DOCUMENT_CHARS
    value: int = VALUE_CHARS
    read: int = _MOST_READ


@dataclass(frozen=True)
class Document:
    """A file or a folder as content parts, and what to say of it.

    Attributes
    ----------
    name
        What it is called there.
    parts
        Text under its name, and pictures.
    facts
        What it is, in a few words each: ``120 lines``, ``4.1 kB``.
    left_out
        A sentence on what is not in the parts, and how to have it; ``""`` if nothing is left out.
    """

    name: str
    parts: tuple[Part, ...]
    facts: tuple[str, ...]
    left_out: str = ""


@dataclass(frozen=True)
class FileText:
    """What a text file says.

    Attributes
    ----------
    text
        What goes in, not yet in a fence.
    language
        For the fence.
    facts
        As those of a `Document`.
    how
        What to know of the text: ``the first 1,000 rows``.
    cut
        What is left out, in words; ``""`` if nothing is.
    more
        The setting that takes more of it; ``""`` if none does.
    parts
        Of a notebook, text and pictures by turns; none for others, whose text is all.
    """

    text: str
    language: str = ""
    facts: tuple[str, ...] = ()
    how: str = ""
    cut: str = ""
    more: str = ""
    parts: tuple[Part, ...] = ()


def read_text(path: Path, name: str, bounds: Bounds) -> Document | None:
    """Return a text file as a document; None if it is no text.

    Raises
    ------
    MediaError
        It is empty.
    OSError
        It cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        said = text_of_file(file, size, name, bounds)
    if said is None:
        return None
    facts = (*said.facts, file_size(size))
    left_out = left_out_of(said.cut, said.more, bounds)
    head = f"{name}{f' ({said.how})' if said.how else ''}:\n"
    if said.parts:
        first, *others = said.parts
        parts = (Text(head + first.text), *others) if isinstance(first, Text) else (Text(head), first, *others)
        return Document(name, parts, facts, left_out)
    return Document(name, (Text(f"{head}{fenced(said.text, said.language)}\n"),), facts, left_out)


def left_out_of(cut: str, more: str, bounds: Bounds) -> str:
    """Return the sentence on what is not in the parts of a prompt, and how to have it; ``""`` if nothing is left out.

    Parameters
    ----------
    cut
        What is left out, in words.
    more
        The setting that takes more of it, if one does.
    bounds
        As they are.
    """
    now = bounds.value if more == VALUES else bounds.document
    way_on = f"; %config ChatSettings.{more} = {10 * now} takes more" if more else ""
    return f"Left out: {cut}{way_on}." if cut else ""


def text_of_file(
    file: BinaryIO, size: int, name: str, bounds: Bounds, *, pictures: int | None = None
) -> FileText | None:
    """Return what a file says; None if it is no text.

    Parameters
    ----------
    file
        It, open.
    size
        Its bytes.
    name
        Of which the suffix tells its language, and whether it is a table or a notebook.
    bounds
        How long the text may be.
    pictures
        The most pictures of a notebook; None for as many as are usual for so long a text.

    Raises
    ------
    MediaError
        It is empty.
    """
    suffix = Path(name).suffix.lower()
    if suffix in TABLES and (said := _of_table(file, size, suffix, bounds)):
        return said
    found, middle = _ends(file, size, bounds)
    if found is None:
        return None
    if not found.text.strip():
        msg = f"{name} is empty; nothing was sent."
        raise MediaError(msg, "Was it saved? Attach another, or leave it out.")
    how = _how_read(found)
    if not middle and (suffix == ".ipynb" or len(found.text) > bounds.document):
        most = limit(_MOST_PICTURES, bounds.document, DOCUMENT_CHARS) if pictures is None else pictures
        said = _of_json(found.text, suffix, bounds.document, most)
        if said is not None:
            return replace(said, facts=(*said.facts, *how))
    shown = Shown(found.text, middle) if middle else Shown(found.text).clipped(bounds.document)
    lines = found.text.count("\n") + (not found.text.endswith("\n"))
    facts = [] if middle else [count_of(lines, "line")]
    facts += ["as text, since pandas is not there or sees no table in it"] if suffix in TABLES else []
    return FileText(
        shown.text.removesuffix("\n"), language_of(name), (*facts, *how), _joined(*how), shown.cut, _DOCUMENTS
    )


def language_of(name: str) -> str:
    """Return the language of a file for its fence, by its name; ``""`` where that tells none."""
    from pygments.lexers import find_lexer_class_for_filename  # noqa: PLC0415  # %load_ext stays quick

    lexer = find_lexer_class_for_filename(Path(name).name)
    names = lexer.aliases if lexer else ()
    return names[0] if names and names[0] != "text" else ""


def _ends(file: BinaryIO, size: int, bounds: Bounds) -> tuple[Decoded | None, str]:
    """Return the text of a file, and what is left out of it: the middle, where it is too long to be read whole."""
    if size <= bounds.read:
        return decoded(file.read(size)), ""
    kept = min(bounds.document * 2 // 3, bounds.read // 2) // _END * _END
    begun = file.read(kept)
    head = decoded(begun, whole=False)
    if head is None:
        return None, ""
    file.seek((size - kept // 2) // _END * _END)
    tail = file.read(kept).decode(head.encoding, "ignore").replace("\r\n", "\n").partition("\n")[2]
    middle = f"{file_size(size - kept - kept // 2)} in the middle, which are more characters than go in"
    return replace(head, text=f"{head.text}\n… {file_size(size - kept - kept // 2)} left out …\n{tail}"), middle


def _of_table(file: BinaryIO, size: int, suffix: str, bounds: Bounds) -> FileText | None:
    """Return a table that is text, of a long one the beginning; None where pandas is not there, or sees none."""
    found = decoded(file.read(bounds.read), whole=size <= bounds.read)
    table = text_of_table(found.text, suffix, bounds.value, goes_on=size > bounds.read) if found else None
    file.seek(0)
    if found is None or table is None:
        return None
    how = _how_read(found)
    return FileText(
        table.text, "", (table.size, *how), _joined(table.how, *how), table.cut, VALUES if table.more else ""
    )


def _how_read(found: Decoded) -> tuple[str, ...]:
    """Return how the bytes of a text were read, where that is not evident."""
    plain = found.encoding == "utf-8" or not found.guessed
    broken = f"{count_of(found.broken, 'character')} that could not be read" if found.broken else ""
    return tuple(filter(None, ["" if plain else f"read as {found.encoding}", broken]))


def _of_json(text: str, suffix: str, chars: int, pictures: int) -> FileText | None:
    """Return a notebook as its cells, and long JSON by its structure; None for what is neither."""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if suffix == ".ipynb" and isinstance(value, dict) and isinstance(value.get("cells"), list):
        return _of_notebook(value["cells"], chars, pictures)
    if not isinstance(value, dict | list) or len(text) <= chars:
        return None
    try:
        short = shortened_json(value, chars)
    except RecursionError:
        return None
    if len(short.text) > chars:
        return None
    count = count_of(len(value), "item" if isinstance(value, list) else "key")
    how = "shortened: what is left out is counted in its place" if short.cut else ""
    return FileText(short.text, "json", (f"JSON, {count}",), how, short.cut, _DOCUMENTS)


def _of_notebook(records: list[Any], chars: int, pictures: int) -> FileText | None:
    """Return the cells of a notebook but for private ones, without what looks like a key, as with ``--above``."""
    found = [(cell_of(record), _is_private(record)) for record in records if isinstance(record, dict)]
    cells = [cell for cell, private in found if cell.source.strip() and not private]
    private = sum(private for _, private in found)
    masked = mask([t for cell in cells for t in (cell.source, *cell.outputs)], (cell.source for cell, _ in found))
    texts = iter(masked.texts)
    cells = [replace(c, source=next(texts), outputs=tuple(next(texts) for _ in c.outputs)) for c in cells]
    shown = parts_of_cells(cells, chars, pictures)
    if not shown.parts:
        if not private:
            return None
        msg = "All cells of this notebook are private; nothing was sent."
        raise MediaError(msg, "Attach another file, or take `# private` out of the cells that may go.")
    above = len(cells) - shown.cells
    cut = [f"the first {count_of(above, 'cell')}" if above else ""]
    cut += [f"parts of {count_of(shown.shortened, 'cell')}" if shown.shortened else ""]
    text = "".join(part.text for part in shown.parts if isinstance(part, Text))
    said = " and ".join(filter(None, cut))
    facts = [f"notebook, {count_of(shown.cells, 'cell')}"]
    facts += [f"{count_of(private, 'private cell')} left out"] if private else []
    facts += [f"{count_of(masked.count, 'value')} hidden"] if masked.count else []
    return FileText(
        text,
        facts=tuple(facts),
        how="a notebook's cells and their outputs",
        cut=f"{said}, which are more characters or pictures than go in" if said else "",
        more=_DOCUMENTS,
        parts=shown.parts,
    )


def _is_private(record: dict[str, Any]) -> bool:
    metadata = record.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else ()
    tagged = isinstance(tags, list | tuple) and "private" in tags
    return tagged or is_private(cell_of(record).source, markdown=record.get("cell_type") == "markdown")


def _joined(*pieces: str) -> str:
    return ", ".join(filter(None, pieces))
