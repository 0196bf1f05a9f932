"""What goes into a prompt as it is typed, and may be meant as the file or the variable that it names."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from xcyq_magic.magics.expand import names_within
from xcyq_magic.magics.misplaced import ADDRESS
from xcyq_magic.media.documents import is_media_name
from xcyq_magic.media.kinds import FRAMES, SERIES, is_a, is_array, roots

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_CODE = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)|(?P<ticks>`+).*?(?P=ticks)", re.DOTALL | re.MULTILINE)
_BRACES = re.compile(r"(?<![^\s(\[:,;])\{ *([^\W\d]\w*) *\}(?!\})")  # not \frac{a}{b}, f"{a}", ${a}
_OF_ROW = re.compile(r"(?<![{\w$])\{ *(row(?:\.\w+|\[[^\]{}]*\])?|[^\W\d]\w*) *\}(?!\})")
_DOLLAR = re.compile(r"(?<![\w$\\])\$([^\W\d]\w+)(?![\w$])")  # not $x$
_DOCUMENTS = {
    *(".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".xls", ".parquet", ".pdf", ".md", ".txt", ".rst", ".tex", ".html"),
    *(".htm", ".xml", ".json", ".jsonl", ".ipynb", ".docx", ".doc", ".odt", ".rtf", ".pptx", ".log", ".yaml", ".yml"),
}
_OPTION = re.compile(r"(--[a-z][a-z-]+|-[a-z])(?=[ =]|$)")
_MOST_SHOWN = 80  # characters of a line
_DRAWN = {"matplotlib", "seaborn", "plotly", "altair", "bokeh", "PIL"}
_WORDS = re.compile(r"(?<![\w/.:@{-])[\w./~-]+\.\w{2,5}\b(?!\s*=)")  # what may be a path
_MOST_READ = 20_000  # characters of a prompt that are looked through for such names
_LONGEST = 1000  # characters of a path that is looked for


def file_hint(value: object, source: str) -> str | None:
    """Return a line on a text that is the name of a file with something to read or to see in it; None for any other.

    Parameters
    ----------
    value
        What goes in.
    source
        The expression that gave it.
    """
    if not isinstance(value, str) or not _names_file(value):
        return None
    written = source if source.isidentifier() else "{{ " + source + " }}"
    if source[:1] in {"'", '"'}:
        written = value if value.split() == [value] else f'"{value}"'
    return f"{{{{ {source} }}}} goes in as text, and is the name of a file: -a {written} sends the file."


def _names_file(text: str) -> bool:
    if len(text) > _LONGEST or not text.isprintable():
        return False
    if Path(text).suffix.lower() not in _DOCUMENTS and not is_media_name(text):
        return False
    try:
        return Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long, ~nobody
        return False


def brace_hints(text: str, names: Mapping[str, object]) -> Iterator[str]:
    """Yield a line on each ``{name}`` or ``$name`` in a prompt, outside of code, that is a variable with data.

    Parameters
    ----------
    text
        The prompt, as it was typed.
    names
        Those of the user's variables.
    """
    prose = _CODE.sub("", text)
    for pattern, form in ((_BRACES, "{{{}}}"), (_DOLLAR, "${}")):
        for name in dict.fromkeys(pattern.findall(prose)):
            if name in names and is_data(names[name]):
                yield f"{form.format(name)} goes in as it is typed. {{{{ {name} }}}} sends the variable."
    if "row" in names_within():
        columns = row if isinstance(row := names["row"], dict) else {}
        for name in dict.fromkeys(_OF_ROW.findall(prose)):
            if (meant := f"row.{name}" if name in columns else name).startswith("row"):
                yield f"{{{name}}} goes in as it is typed. {{{{ {meant} }}}} is what the row has."


def option_hint(text: str, magic: str, options: Collection[str]) -> str | None:
    """Return a line on a prompt that begins with an option, which is text there; None for any other.

    Parameters
    ----------
    text
        The prompt, as it was typed below the magic's line.
    magic
        The magic's name.
    options
        Those of the magic, by each of their names.
    """
    line = text.strip().partition("\n")[0]
    begun = _OPTION.match(line)
    if begun is None or begun[1] not in options:
        return None
    line = line if len(line) <= _MOST_SHOWN else line[: _MOST_SHOWN - 1] + "…"
    return f"{line} goes in as text. Options go on the line of the magic: %%{magic} {line}"


def named_files(text: str) -> Iterator[str]:
    """Yield a line on each picture or video that there is, and that a prompt only names, outside of code."""
    for word in dict.fromkeys(_WORDS.findall(_CODE.sub("", text[:_MOST_READ]))):
        if is_media_name(word) and _names_file(word):
            yield f"{word} goes in as its name only: -a {word} sends the file."


def names_media(word: str, names: Mapping[str, object]) -> bool:
    """Return whether a word is the name of a variable with data, of a file, or an address."""
    return (word in names and is_data(names[word])) or _names_file(word) or bool(ADDRESS.match(word))


def is_data(value: object) -> bool:
    """Return whether a value is a table, an array, a figure or a picture; a reply or rows are none."""
    if isinstance(value, type | ModuleType) or "xcyq_magic" in roots(value):
        return False
    return is_a(value, *FRAMES, *SERIES) or is_array(value) or bool(roots(value) & _DRAWN)
