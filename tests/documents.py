"""Documents that tests make: PDFs, notebooks, workbooks."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING

import PIL.Image

if TYPE_CHECKING:
    from pathlib import Path


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a page."""
    return (number * 37 % 256, number * 91 % 256, number * 53 % 256)


def pdf(pages: int, *, trailer: bytes = b"", size: tuple[int, int] = (595, 842)) -> bytes:
    """A PDF whose pages say their numbers, each on a ground of its own colour; ``trailer`` adds to its trailer."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for n in range(1, pages + 1):
        ground = " ".join(f"{c / 255:.6f}" for c in colour(n))
        stream = (
            f"{ground} rg 0 0 {size[0]} {size[1]} re f 0 g BT /F 24 Tf 50 700 Td (This is page {n}.) Tj ET".encode()
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
        box = b"[0 0 %d %d]" % size
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox%s/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>"
            % (box, len(objects))
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), pages)
    file, places = bytearray(b"%PDF-1.7\n"), []
    for n, content in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (n, content)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    file += b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, start)
    return bytes(file)


def encrypted_pdf() -> bytes:
    """A PDF that opens with a password that nobody knows."""
    rules = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<00><00>]" % (b"ab" * 32, b"cd" * 32)
    return pdf(1, trailer=rules)


def scanned_pdf(pages: int) -> bytes:
    """A PDF of pictures alone."""
    first, *more = (PIL.Image.linear_gradient("L").convert("RGB").resize((300, 400)).rotate(n) for n in range(pages))
    buffer = io.BytesIO()
    first.save(buffer, "PDF", save_all=True, append_images=more)
    return buffer.getvalue()


def png_in_base64(colour: tuple[int, int, int]) -> str:
    """A picture of one colour, as a notebook's file holds it."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (300, 300), colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def notebook(*cells: tuple[str, str, list[dict]]) -> bytes:
    """A notebook of cells: kind, source, outputs."""
    records = [
        {
            "cell_type": kind,
            "source": source,
            "metadata": {},
            **({"execution_count": n, "outputs": outputs} if kind == "code" else {}),
        }
        for n, (kind, source, outputs) in enumerate(cells, 1)
    ]
    return json.dumps({"cells": records, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def zipped(*names: str) -> bytes:
    """A ZIP of files that say nothing."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "nothing")
    return buffer.getvalue()


def folder(place: Path, **files: str | bytes) -> Path:
    """A folder of files; in their names, two underscores stand for a slash, and ``_dot_`` for a dot."""
    for name, content in files.items():
        path = place / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return place
