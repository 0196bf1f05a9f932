"""Tables in files, as pandas reads them: their first and last rows, and a summary."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import MediaError
from xcyq_magic.media.text.shown import all_of, count_of
from xcyq_magic.media.text.tables import frame_text

if TYPE_CHECKING:
    from pathlib import Path

    from xcyq_magic.media.text.tables import Frame

TABLES = {".csv": "", ".tsv": "\t", ".tab": "\t"}  # the suffixes of tables that are text; the last have one delimiter
_DELIMITERS = ",;\t|"
_SNIFFED = 20_000  # characters
_MOST_ROWS = 100_000  # of Parquet
_MOST_SHEET_ROWS = 20_000  # openpyxl reads some 10,000 in a second
_MOST_SHEETS = 10
_MOST_NAMED = 2  # sheets of which it is said what of each is left out
_MOST_UNPACKED = 500 * 1024 * 1024  # bytes of what is in an .xlsx
_NUMBER_IN_FULL = r"[+-]?0\d+"  # a name in digits, such as a postal code, which is no number
_LEAST = 500  # characters of a sheet


@dataclass(frozen=True)
class TableText:
    """A table as text.

    Attributes
    ----------
    text
        Its size, its columns, rows, and a summary.
    size
        How many rows and columns, in words.
    how
        What to know of it.
    cut
        What is left out, in words; ``""`` if nothing is.
    more
        Whether a larger bound takes more.
    """

    text: str
    size: str
    how: str = "as pandas reads it"
    cut: str = ""
    more: bool = False


def text_of_table(text: str, suffix: str, chars: int, *, goes_on: bool) -> TableText | None:
    """Return a table that is text; None where pandas is not installed, or does not see a table in it.

    Parameters
    ----------
    text
        The file's.
    suffix
        Of its name.
    chars
        Characters of what is shown.
    goes_on
        Whether the file is longer.
    """
    if goes_on:
        text = text[: text.rfind("\n") + 1]
    try:
        frame = _read_csv(text, TABLES[suffix] or _delimiter(text))
    except ImportError:
        return None
    except Exception:  # noqa: BLE001  # whatever pandas raises of what is no table: it goes in as text
        return None
    if not goes_on:
        return _of_frame(frame, chars)
    first = f"the first {len(frame):,} rows"
    return _of_frame(frame, chars, first, f"all but {first}, since the file is too long to be read whole")


def _of_frame(frame: Frame, chars: int, first: str = "", unread: str = "") -> TableText:
    """Return a table as text.

    Parameters
    ----------
    frame
        What was read.
    chars
        Characters of what is shown.
    first
        Which rows it has, where the file has more.
    unread
        What it lacks then.
    """
    shown = frame_text(frame, chars).clipped(chars)
    how = f"{first}, as pandas reads them" if first else TableText.how
    cut = f"{unread}, and of these {shown.cut}" if unread and shown.cut else unread or shown.cut
    return TableText(shown.text, _size(frame), how, cut, bool(shown.cut) and shown.more)


def _delimiter(text: str) -> str:
    try:
        return csv.Sniffer().sniff(text[:_SNIFFED], _DELIMITERS).delimiter
    except csv.Error:  # it has one column
        return ","


def _read_csv(text: str, delimiter: str) -> Frame:
    """Return a table with whole numbers as such where some are missing, and postal codes with their zeros."""
    import pandas as pd  # noqa: PLC0415  # an extra; and loading the extension must not load it

    options: Any = {"sep": delimiter, "index_col": False, "skipinitialspace": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the first would lose their ends
        sample = pd.read_csv(io.StringIO(text), dtype=str, nrows=1000, **options)
        names = {c: str for c in sample if sample[c].str.fullmatch(_NUMBER_IN_FULL).any()}
        return pd.read_csv(io.StringIO(text), dtype=names, **options).convert_dtypes(
            convert_string=False, convert_boolean=False, convert_floating=False
        )


def _size(frame: Frame) -> str:
    rows, columns = frame.shape
    return f"table, {count_of(rows, 'row')} × {count_of(columns, 'column')}"


def read_parquet(path: Path, shown: str, chars: int) -> TableText:
    """Return a Parquet file as text.

    Parameters
    ----------
    path
        The file.
    shown
        What the user called it, for errors.
    chars
        Characters of what is shown.

    Raises
    ------
    MediaError
        It is damaged, or what reads it is not installed.
    """
    try:
        import pandas as pd  # noqa: F401, PLC0415  # see above
        import pyarrow.parquet as pq  # noqa: PLC0415  # an extra
    except ImportError:
        raise _missing(shown, "a Parquet file", "pandas pyarrow") from None
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            batch = next(file.iter_batches(batch_size=_MOST_ROWS), None)
            frame = (batch if batch is not None else file.schema_arrow.empty_table()).to_pandas()
    except Exception as e:  # noqa: BLE001  # of damaged files, pyarrow raises what its decoders do
        raise _damaged(shown, "Parquet file", e) from None
    if len(frame) == rows:
        return _of_frame(frame, chars)
    first = f"the first {len(frame):,} of {rows:,} rows"
    return _of_frame(frame, chars, first, f"all but {first}")


def read_workbook(path: Path, shown: str, chars: int) -> TableText:
    """Return the sheets of an Excel workbook as text.

    Parameters
    ----------
    path
        The file.
    shown
        What the user called it, for errors.
    chars
        Characters of what is shown.

    Raises
    ------
    MediaError
        It is damaged, holds nothing, or what reads it is not installed.
    """
    try:
        import openpyxl  # noqa: F401, PLC0415  # an extra
        import pandas as pd  # noqa: PLC0415  # see above
    except ImportError:
        raise _missing(shown, "an Excel workbook", "pandas openpyxl") from None
    try:
        _check_unpacked(path, shown)
        with warnings.catch_warnings(), pd.ExcelFile(path, engine="openpyxl") as book:
            warnings.simplefilter("ignore")  # openpyxl warns of styles and charts, which do not go in
            names = [str(name) for name in book.sheet_names]
            frames = {n: book.parse(n, nrows=_MOST_SHEET_ROWS) for n in names[:_MOST_SHEETS]}
    except MediaError:
        raise
    except Exception as e:  # noqa: BLE001  # of damaged files, openpyxl raises KeyError, TypeError and others
        raise _damaged(shown, "workbook", e) from None
    filled = {name: frame for name, frame in frames.items() if frame.shape[1]}
    if not filled:
        msg = f"{shown} is a workbook without a filled cell; nothing was sent."
        raise MediaError(msg, "Does it hold charts or pictures alone? Save it as PDF, and attach that.")
    return _of_sheets(filled, names, chars)


def _check_unpacked(path: Path, shown: str) -> None:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > _MOST_UNPACKED:
        msg = f"{shown} unpacks to {unpacked / 1e6:,.0f} MB, which is too much; nothing was sent."
        raise MediaError(msg, "Save the sheet that matters as CSV, and attach that.")


def _of_sheets(frames: dict[str, Frame], names: list[str], chars: int) -> TableText:
    long = [name for name, frame in frames.items() if len(frame) >= _MOST_SHEET_ROWS]
    share = max(_LEAST, chars // len(frames))
    texts, cuts = [], []
    for name, frame in frames.items():
        more = f", its first {len(frame):,} rows" if name in long else ""
        shown = frame_text(frame, share).clipped(share)
        texts.append(f"Sheet {name}{more}:\n{shown.text}")
        cuts += [f"{shown.cut} of {name}"] if shown.cut else []
    if len(cuts) > _MOST_NAMED:
        cuts = [f"parts of {len(cuts)} sheets"]
    cut = [f"the rows behind the first {_MOST_SHEET_ROWS:,} of {', '.join(long)}"] if long else []
    beyond = len(names) - _MOST_SHEETS
    cut += cuts
    cut += [f"{count_of(beyond, 'more sheet')}: {', '.join(names[_MOST_SHEETS:])}"] if beyond > 0 else []
    one = next(iter(frames.values()))
    size = _size(one) if len(frames) == 1 else f"workbook, {len(frames)} sheets"
    return TableText("\n\n".join(texts), size, "its sheets, as pandas reads them", all_of(*cut), bool(cuts))


def _missing(shown: str, what: str, packages: str) -> MediaError:
    msg = f"{shown} is {what}, and what reads it is not installed; nothing was sent."
    return MediaError(msg, f"Type %pip install {packages}, then run this cell again.")


def _damaged(shown: str, what: str, error: Exception) -> MediaError:
    why = " ".join(f"{error or type(error).__name__}".split())[:200]
    msg = f"{shown} is a {what} that cannot be read ({why}); nothing was sent."
    return MediaError(msg, "Save it again, or attach a CSV of it.")
