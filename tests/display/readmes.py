"""A corpus of Markdown that people wrote: the descriptions of 150 well-known packages, in `readmes.zip`.

It holds `NAME.md` for each, and `INDEX.csv` with the packages' versions and their licences, which let everyone
pass the texts on. A description stands in a wheel's metadata, so wheels are all that it takes to build it anew:

    python tests/display/readmes.py > packages.txt              the packages that it holds, one a line
    pip download --no-deps -d wheels -r packages.txt            or any other folder of wheels
    python tests/display/readmes.py wheels                      all of the folder that qualify
"""

from __future__ import annotations

import csv
import io
import re
import sys
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

if TYPE_CHECKING:
    from email.message import Message

ARCHIVE = Path(__file__).with_name("readmes.zip")
SHORTEST, LONGEST = 600, 60_000  # characters; bytes
_PERMISSIVE = re.compile(r"\b(?:MIT|BSD|Apache|PSF|Python Software Foundation|ISC|MPL|Mozilla|HPND|0BSD)\b")
_OTHER = re.compile(r"\b[AL]?GPL|General Public|Proprietary|Terms of", re.IGNORECASE)


def load() -> dict[str, str]:
    """The descriptions by package."""
    with ZipFile(ARCHIVE) as archive:
        names = [name for name in archive.namelist() if name.endswith(".md")]
        return {name.removesuffix(".md"): archive.read(name).decode() for name in names}


def index() -> list[dict[str, str]]:
    """Each package's name, version and licence."""
    with ZipFile(ARCHIVE) as archive:
        return list(csv.DictReader(io.StringIO(archive.read("INDEX.csv").decode())))


def build(wheels: Path) -> int:
    """Write the archive anew from the wheels in a folder; returns how many packages it has."""
    rows: dict[str, tuple[str, str]] = {}
    texts: dict[str, str] = {}
    for wheel in sorted(wheels.glob("*.whl")):
        metadata = _metadata(wheel)
        name = re.sub(r"[-_.]+", "-", metadata["Name"]).lower()
        text, licence = _description(metadata), _licence(metadata)
        fits = len(text) >= SHORTEST and len(text.encode()) <= LONGEST
        markdown = metadata.get("Description-Content-Type", "").startswith("text/markdown")
        if markdown and fits and licence and text not in texts.values():
            texts[name], rows[name] = text, (metadata["Version"], licence)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["name", "version", "licence"])
    writer.writerows([name, *row] for name, row in sorted(rows.items()))
    with ZipFile(ARCHIVE, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in [("INDEX.csv", table.getvalue()), *((f"{n}.md", t) for n, t in sorted(texts.items()))]:
            # A fixed date, so that the same texts make the same archive.
            archive.writestr(ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, ZIP_DEFLATED, 9)
    return len(texts)


def _metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        path = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        return message_from_bytes(archive.read(path))


def _description(metadata: Message) -> str:
    body = metadata.get_payload(decode=True)
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else ""


def _licence(metadata: Message) -> str:
    """The licence as declared, in one line; none if it is not a permissive one, or not said."""
    classifiers = [str(c).split(" :: ")[-1] for c in metadata.get_all("Classifier", []) if "License ::" in str(c)]
    first_line = str(metadata.get("License") or "").strip().partition("\n")[0].strip()
    declared = str(metadata.get("License-Expression") or "") or "; ".join(classifiers) or first_line
    whole = f"{declared} {first_line} {' '.join(classifiers)}"
    return declared if _PERMISSIVE.search(declared) and not _OTHER.search(whole) else ""


if __name__ == "__main__":
    if folders := sys.argv[1:]:
        sys.stdout.write(f"{build(Path(folders[0]))} packages\n")
    else:
        sys.stdout.writelines(f"{row['name']}=={row['version']}\n" for row in index())
