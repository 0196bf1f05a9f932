"""Files of each kind, attached by their paths: what the server receives of them, or why nothing was sent."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING

import pandas as pd
import PIL.Image
import pypdfium2
import pytest
from documents import colour, encrypted_pdf, folder, form_pdf, notebook, pdf, png_in_base64, scanned_pdf, zipped
from files import at_once
from kernels import KEY

from xcyq_magic.display.bundle import kept_turn_bundle
from xcyq_magic.errors import InputError, MediaError, RequestError
from xcyq_magic.gateway import encoding

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pd.DataFrame({"height": range(500), "name": [f"row {n}" for n in range(500)]})
DEEP = {"items": [{"id": n, "tags": ["a", "b"], "text": "word " * 20} for n in range(5000)], "count": 5000}
LONG = "".join(f"line {n} of a log\n" for n in range(20_000))
NOTEBOOK = notebook(
    ("markdown", "# A study", []),
    ("code", "print(6 * 7)", [{"output_type": "stream", "name": "stdout", "text": "42\n"}]),
    ("code", "plot()", [{"output_type": "display_data", "data": {"image/png": png_in_base64((9, 99, 199))}}]),
)


def parquet(frame: pd.DataFrame) -> bytes:
    frame.to_parquet(buffer := io.BytesIO())
    return buffer.getvalue()


def workbook(**sheets: pd.DataFrame) -> bytes:
    with pd.ExcelWriter(buffer := io.BytesIO()) as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False)
    return buffer.getvalue()


@dataclass
class Came:
    """What the server received before the prompt's own text: the text, the pictures, and what was said of it."""

    text: str
    pictures: list[PIL.Image.Image]
    said: str


@dataclass(frozen=True)
class File:
    """A file, as it is made and as it goes in.

    Attributes
    ----------
    name, make
        What is attached, and the bytes of the file, or what makes it at a path.
    has
        What stands in the text that the server receives.
    lacks
        What does not.
    says
        What stands in the line for the user.
    pages
        The pages whose pictures come.
    refused
        What stands in the error instead.
    """

    name: str
    make: object
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ("\r", "\ufeff", "\ufffd")
    says: str = ""
    pages: tuple[int, ...] = field(default=())
    refused: str = ""


def many_files(path):
    path.mkdir()
    for n in range(10_000):
        (path / f"f{n:05}.txt").write_text(f"file {n}\n")


def symlink_loop(path):
    path.symlink_to(path.with_name("pool"))
    path.with_name("pool").symlink_to(path)


def source_tree(path):
    folder(
        path,
        a_dot_py="print('a')\n",
        docs__b_dot_md="# b\n",
        docs___dot_gitignore="!kept.tmp\n",
        docs__x_dot_tmp="no",
        docs__kept_dot_tmp="yes",
        _dot_gitignore="# *****\nsecret*\nbuild/\n*.tmp\n[\n",
        secrets_dot_txt="hidden by Git",
        build__out_dot_txt="built",
        _dot_env="KEY=1",
        logo_dot_png=b"\x89PNG\r\n\x1a\n" + bytes(99),
        array_dot_npy=b"\x93NUMPY" + bytes(99),
        empty_dot_txt="",
    )
    (path / "around").symlink_to(path, target_is_directory=True)
    (path / "outside.txt").symlink_to("/etc/hostname")


KINDS = {
    "encodings": [
        File("utf8.txt", "Grüße\r\nzwei\r\n".encode(), ("utf8.txt:\n```\nGrüße\nzwei\n```",), says="2 lines, 15 bytes"),
        File("bom.txt", "\ufeffGrüße".encode(), ("```\nGrüße\n```",)),
        File("le.txt", "Grüße\r\n日本".encode("utf-16"), ("```\nGrüße\n日本\n```",)),
        File("be.txt", b"\xfe\xff" + "Grüße".encode("utf-16-be"), ("```\nGrüße\n```",)),
        File("bare.txt", "Grüße\n".encode("utf-16-le"), ("```\nGrüße\n```",), says="read as utf-16-le"),
        File(
            "latin.txt", "Déjà vu à la bibliothèque".encode("latin-1"), ("Déjà vu à la bibliothèque",), says="read as"
        ),
        File("quotes.txt", "“It’s 5 €”\n".encode("cp1252"), ("“It’s 5 €”",), says="read as cp1252"),
        File("russian.txt", "Привет, как дела?\n".encode("cp1251"), ("Привет, как дела?",), says="read as cp1251"),
        File("old-mac.txt", b"one\rtwo", ("```\none\ntwo\n```",)),
        File(
            "broken.txt", "ä".encode() * 50 + b"\xff", ("ä" * 50,), ("\r",), says="1 character that could not be read"
        ),
    ],
    "code": [
        File("a.py", b"x = 1\n", ("a.py:\n```python\nx = 1\n```",)),
        File("a.md", b"```py\nx\n```\n\n````\n", ("`````markdown\n```py\nx\n```\n\n````\n`````",)),
        File("Dockerfile", b"FROM x\n", ("```docker\nFROM x\n```",)),
    ],
    "empty": [
        File("empty.txt", b"", refused="empty.txt is empty; nothing was sent"),
        File("bom-only.txt", b"\xef\xbb\xbf", refused="is empty"),
        File("empty.pdf", b"", refused="is empty"),
    ],
    "tables in text": [
        File("a.csv", b"height,name\n1.5,Ann\n", ("DataFrame, 1 row × 2 columns", "1.5", "Ann"), says="1 row × 2 col"),
        File("b.csv", "zip;größe\n01234;5\n99999;\n".encode("latin-1"), ("01234", "größe: Int64, 1 missing")),
        File("c.tsv", "a\tb\n1\tx y\n".encode("utf-16"), ("1 row × 2 columns", "x y")),
        File("d.csv", b"a,b\n1,2\n1,2,3\n", ("```\na,b\n1,2\n1,2,3\n```",), says="as text"),
        File("longer.csv", b"a,b\n1,2,3\n4,5,6\n", ("```\na,b\n1,2,3\n4,5,6\n```",), says="as text"),
        File("e.csv", TABLE.to_csv(index=False).encode(), ("500 rows × 2 columns", "Summary of all 500 rows", "249.5")),
    ],
    "tables": [
        File("a.parquet", parquet(TABLE), ("500 rows × 2 columns", "Summary of all 500 rows"), says="500 rows"),
        File("a.xlsx", workbook(One=TABLE), ("Sheet One:", "500 rows × 2 columns")),
        File(
            "c.xlsx",
            workbook(**{f"S{n}": TABLE for n in range(9)}),
            ("Sheet S8:",),
            says="Left out: parts of 9 sheets; %config ChatSettings.value_chars = 40000 takes more.",
        ),
        File("b.xlsx", workbook(One=TABLE, Two=TABLE.head(3)), ("Sheet One:", "Sheet Two:", "3 rows"), says="2 sheets"),
        File("cut.parquet", parquet(TABLE)[:500], refused="is a Parquet file that cannot be read"),
        File("cut.xlsx", workbook(One=TABLE)[:500], refused="is a damaged ZIP file or Office document"),
    ],
    "json": [
        File("a.json", b'{"a": [1, null]}', ('```json\n{"a": [1, null]}\n```',)),
        File("b.json", json.dumps(DEEP).encode(), ('"… 4,466 more of 5,000 left out"', '"count": 5000'), says="2 keys"),
        File("c.json", b"[" * 200_000, ("characters left out …",), says="Left out: 100,033 characters"),
    ],
    "notebooks": [
        File(
            "a.ipynb", NOTEBOOK, ("# A study", "In [2]:\n```python\nprint(6 * 7)\n```", "42"), says="notebook, 3 cells"
        ),
        File("b.ipynb", b'{"cells": 3}', ('{"cells": 3}',)),
    ],
    "pages": [
        File("a.pdf", pdf(3), ("a.pdf (3 pages, as pictures",), says="a.pdf: 3 pages as pictures", pages=(1, 2, 3)),
        File("b.pdf[3-5]", pdf(10), ("pages 3-5 of 10",), says="pages 3-5 of 10", pages=(3, 4, 5)),
        File("c.pdf[7,2]", pdf(10), says="pages 7, 2 of 10", pages=(7, 2)),
        File(
            "d d.pdf[text]", pdf(2), ("Page 1:\n```\nThis is page 1.\n```", "This is page 2."), says="text of 2 pages"
        ),
        File("e.pdf[9-,text]", pdf(10), ("This is page 10.",), ("page 8",)),
        File("f.pdf[12]", pdf(10), refused=r"f.pdf has 10 pages, and no page 12; nothing was sent"),
        File("g.pdf[x]", pdf(1), refused="in brackets stand pages, not 'x'"),
    ],
    "odd PDFs": [
        File("locked.pdf", encrypted_pdf(), refused="locked.pdf is encrypted with a password; nothing was sent"),
        File("cut.pdf", pdf(3)[:300], refused="is a PDF that cannot be read"),
        File("scan.pdf[text]", scanned_pdf(2), refused="there is no text on these pages"),
        File("30.pdf", pdf(30), says="Left out: pages 21-30; -a 30.pdf[21-30]", pages=tuple(range(1, 21))),
        File("long.pdf", pdf(500), ("pages 1-20 of 500",), says="Left out: pages 21-500", pages=tuple(range(1, 21))),
        File("long.pdf[text]", pdf(500), ("This is page 500.",), says="text of 500 pages"),
    ],
    "binary": [
        File("a.zip", zipped("a.txt"), refused="is a ZIP archive"),
        File("a.docx", zipped("word/document.xml"), refused="is a Word document.*\n.*Save it as PDF"),
        File("a.exe", b"MZ\x90\0" + bytes(99), refused="is a program for Windows"),
        File("a.gz", gzip.compress(b"text"), refused="is a compressed file"),
        File(
            "a.doc",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
            refused="is an old or an encrypted Office document",
        ),
        File("a.db", b"SQLite format 3\0" + bytes(99), refused="is an SQLite database"),
        File("a.bin", b"\0\1\2\xff" * 99, refused="nothing was sent"),
    ],
    "folders": [
        File(
            "src/",
            source_tree,
            ("a.py:\n```python\nprint('a')\n```", "docs/b.md:", "docs/kept.tmp:"),
            ("hidden by Git", "built", "KEY=1", "x.tmp:", os.uname().nodename),
            says="src/: 3 text files",
        ),
        File("many", many_files, ("f00099.txt:",), ("f00100.txt:",), says="9,900 more files"),
        File("pictures", lambda p: folder(p, a_dot_png=b"\x89PNG\r\n\x1a\n"), refused="holds no text file"),
    ],
    "huge": [
        File("a.log", LONG.encode(), ("line 0 of", "line 19999 of", "characters left out …"), says="document_chars ="),
        File("b.log", (LONG * 100).encode(), ("line 0 of", "line 19999 of", "MB left out …"), says="MB in the middle"),
        File(
            "c.csv",
            b"a,b\n" + b"12345678,abcdefgh\n" * 2_000_000,
            ("the first 1,8",),
            says="Left out: all but the first",
        ),
        File("sparse", lambda p: (p.touch(), os.truncate(p, 2**40)), refused="too much; nothing was sent"),
    ],
    "links and devices": [
        File(
            "loop",
            lambda p: p.symlink_to(p.with_name("pool")) or p.with_name("pool").symlink_to(p),
            refused="nothing was",
        ),
        File("gone", lambda p: p.symlink_to("nowhere"), refused="gone: there is neither|gone cannot be attached"),
        File("zero", lambda p: p.symlink_to("/dev/zero"), refused="it is no regular file"),
        File("pipe", os.mkfifo, refused="it is no regular file"),
    ],
    "other names": [
        File("nameless", pdf(1), pages=(1,)),
        File("page.png", b"<p>Not found</p>", refused="is not a picture but text"),
        File("free", b"The free software", ("```\nThe free software\n```",)),
        File("MZ.txt", b"MZ is no program", ("MZ is no program",)),
        File("report.pdf[2]", b"brackets", ("```\nbrackets\n```",)),
        File("notes.md[2]", b"brackets", ("brackets",)),
    ],
}
FILES = [pytest.param(file, id=f"{kind}: {file.name}") for kind, files in KINDS.items() for file in files]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(file: File, place: Path) -> None:
    named = file.name if isinstance(file.make, bytes) and file.make == b"brackets" else re.sub(r"\[.*", "", file.name)
    if isinstance(file.make, bytes):
        (place / named).write_bytes(file.make)
    else:
        file.make(place / named.rstrip("/"))


@pytest.fixture
def came(sandbox, capsys):
    """What the server received last."""

    def last() -> Came:
        parts = encoding.decode_message(sandbox.received[-1].body["messages"][-1]).parts
        text = "\n".join(p.text for p in parts if hasattr(p, "text"))
        pictures = [PIL.Image.open(io.BytesIO(p.data)).convert("RGB") for p in parts if hasattr(p, "data")]
        return Came(text, pictures, capsys.readouterr().out)

    return last


def test_there_are_enough_files():
    assert len(KINDS) >= 14
    assert len(FILES) >= 48


@pytest.mark.parametrize("file", FILES)
def test_a_file_goes_in_right_or_it_is_said_why_not(run, sandbox, came, place, file):
    write(file, place)
    cell = f'%%chat -a "{file.name}"\nWhat is it?'
    if file.refused:
        with at_once(10), pytest.raises(InputError, match=f"(?s){file.refused}") as raised:
            run(cell)
        assert "nothing was sent" in raised.value.message
        assert raised.value.hint
        assert sandbox.received == []
        return
    run(cell)
    found = came()
    for words in file.has:
        assert words in found.text
    for words in file.lacks:
        assert words not in found.text
    assert file.says in found.said
    assert re.search(r"about [\d,]+ tokens", found.said)
    if "left out" in found.text:
        assert "Left out: " in found.said
    if file.name == "a.ipynb":
        assert [p.getpixel((5, 5)) for p in found.pictures] == [(9, 99, 199)]
    else:
        assert [p.getpixel((5, 5)) for p in found.pictures] == [colour(n) for n in file.pages]
        assert all(max(p.size) == 1568 for p in found.pictures)


def test_a_page_is_what_pdfium_draws(run, came, place):
    (place / "a.pdf").write_bytes(pdf(2))
    run("%chat -a a.pdf[2] hi")
    (picture,) = came().pictures
    page = pypdfium2.PdfDocument(place / "a.pdf")[1]
    assert picture.tobytes() == page.render(scale=1568 / 842).to_pil().convert("RGB").tobytes()


def test_a_scan_is_sent_as_a_photograph_is(run, sandbox, came, place):
    (place / "a.pdf").write_bytes(scanned_pdf(2))
    run("%chat -a a.pdf hi")
    assert [max(p.size) for p in came().pictures] == [1568, 1568]
    parts = encoding.decode_message(sandbox.received[-1].body["messages"][-1]).parts
    assert [p.mime for p in parts if hasattr(p, "mime")] == ["image/jpeg"] * 2


def test_what_was_filled_into_a_form_is_drawn(run, came, place):
    (place / "a.pdf").write_bytes(form_pdf())
    run("%chat -a a.pdf hi")
    (picture,) = came().pictures
    assert picture.getpixel((picture.width // 2, picture.height // 2)) == (255, 0, 0)


CALLS = {
    "a cell's line": "%chat -a NAME hi",
    "an expression": "%%chat\n{{ Path(r'NAME') }}\nhi",
    "from Python": "Chat()('hi', Path(r'NAME'))",
    "a string from Python": "Chat()('hi', r'NAME')",
    "compared": "compare(['gpt-5.5', 'gpt-5.4'], 'hi', Path(r'NAME'))",
    "a comparison": "%%compare gpt-5.5 gpt-5.4 -a NAME\nhi",
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_document_goes_in_alike_however_it_is_named(run, came, place, call):
    (place / "notes.md").write_text("# Notes\n")
    (place / "a.pdf").write_bytes(pdf(3))
    run("from pathlib import Path\nfrom xcyq_magic import Chat, compare")
    run(call.replace("NAME", "notes.md"))
    assert "notes.md:\n```markdown\n# Notes\n```" in came().text
    run(call.replace("NAME", "a.pdf[2-3]"))
    assert [p.getpixel((5, 5)) for p in came().pictures] == [colour(2), colour(3)]


def test_a_document_stands_in_its_place_in_a_prompt(run, came, place):
    (place / "notes.md").write_text("# Notes\n")
    run("from pathlib import Path")
    run("%%chat\nBefore.\n{{ Path('notes.md') }}\nAfter.")
    assert came().text == "Before.\nnotes.md:\n```markdown\n# Notes\n```\n\nAfter."


def test_documents_are_folded_in_the_history(run, shell, place):
    (place / "notes.md").write_text("# Notes\n")
    (place / "a.csv").write_text("a,b\n1,2\n")
    (place / "a.pdf").write_bytes(pdf(1))
    (place / "a.ipynb").write_bytes(NOTEBOOK)
    folder(place / "src", a_dot_py="1\n")
    run("%%chat -a notes.md -a a.pdf -a a.csv -a src -a a.ipynb\nWhat is it?")
    session = shell.magics_manager.registry["xcyq_magic"].context.session
    html = kept_turn_bundle(session.conversation().turns[-1], "1")["text/html"]
    folds = re.findall(r"<summary[^>]*>(.*?)</summary>", html)
    assert [unescape(fold) for fold in folds] == [
        "notes.md",
        "a.csv (as pandas reads it)",
        "src/ (1 text file)",
        "a.ipynb (a notebook's cells and their outputs)",
    ]
    assert "a.pdf (1 page, as pictures in this order)" in html
    assert html.index("a.pdf page 1") < html.index("a.csv (as pandas")


def test_a_text_file_goes_into_a_system_prompt_and_a_page_does_not(run, sandbox, place):
    (place / "notes.md").write_text("# Notes\n")
    (place / "a.pdf").write_bytes(pdf(1))
    run("from pathlib import Path")
    run("%%chat_system\nFollow {{ Path('notes.md') }}")
    run("%chat hi")
    assert "# Notes" in sandbox.received[-1].body["messages"][0]["content"]
    with pytest.raises(MediaError, match="cannot stand in a system prompt"):
        run("%%chat_system\nFollow {{ Path('a.pdf') }}")


def test_a_name_of_the_notebook_wins_over_a_path(run, came, shell, place):
    (place / "notes.md").write_text("the file")
    (place / "df").mkdir()
    (place / "df" / "a.txt").write_text("the folder")
    shell.push({"df": pd.DataFrame({"x": [123_456]})})
    run("%chat -a df hi")
    assert "123456" in came().text
    run('%chat -a "df[df.x>0]" hi')
    assert "123456" in came().text
    run("%chat -a ./df hi")
    assert "the folder" in came().text
    run("notes = 1")
    run("%chat -a notes.md hi")  # which has no attribute of that name
    assert "the file" in came().text


def test_the_path_above_a_file_is_not_sent(run, came, place):
    (place / "notes.md").write_text("# Notes\n")
    folder(place / "src", a_dot_py="1\n")
    for path in (place / "notes.md", place / "src"):
        run(f"%chat -a {path} hi")
        assert str(place.parent) not in came().text


def test_the_key_is_in_no_document(run, came, place):
    folder(place / "src", settings_dot_py=f"KEY = '{KEY}'\n")
    for name in ("src/settings.py", "src"):
        run(f"%chat -a {name} hi")
        found = came().text
        assert KEY not in found
        assert "(the API key)" in found


def test_what_is_left_out_is_warned_of_from_python(run, place):
    (place / "a.log").write_text(LONG)
    (place / "b.txt").write_text("short")
    run("from xcyq_magic import Chat")
    with pytest.warns(UserWarning, match=r"a\.log: 20,000 lines.*Left out: 2\d\d,\d{3} characters"):
        run("Chat()('hi', 'a.log')")
    run("Chat()('hi', 'b.txt')")  # warnings are errors


def test_a_reply_from_python_that_is_shown_says_what_went_along(run, came, place):
    (place / "notes.md").write_text("# Notes\n")
    run("from xcyq_magic import Chat")
    run("Chat().show('hi', 'notes.md')")
    assert "notes.md: 1 line, 8 bytes, about" in came().said


def test_the_characters_of_a_document_are_a_setting(run, came, place):
    (place / "a.log").write_text(LONG)
    run("%config ChatSettings.document_chars = 1_000_000")
    run("%chat -a a.log hi")
    assert LONG.strip() in came().text


ADDRESSES = [
    "https://host.example/page.html",
    "https://picsum.photos/200",
    "http://h.example/?f=a.png",
    "https://h.example/x.pdf",
]


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_of_neither_picture_nor_video_is_refused(run, sandbox, url):
    run("from xcyq_magic import Chat")
    for cell in (f"%chat -a {url} look", f"Chat()('look', '{url}')"):
        with pytest.raises(MediaError, match="nothing was sent") as raised:
            run(cell)
        assert "Image(url=" in raised.value.hint
    assert sandbox.received == []
    run(f"from IPython.display import Image\n%chat {{{{ Image(url='{url}') }}}} look")
    assert url in json.dumps(sandbox.received[-1].body)


def test_a_long_text_is_said_before_it_is_sent(run, capsys):
    run("text = 'word ' * 20_001\nshort = 'word ' * 20_000")
    run("%chat {{ text }}")
    assert "{{ text }} is a text of 100,005 characters, about 25,001 tokens" in capsys.readouterr().out
    run("%chat {{ short }}")
    assert "is a text of" not in capsys.readouterr().out


@pytest.mark.parametrize(("model", "window"), [("claude-haiku-4-5", 200_000), ("gpt-5.5", 1_000_000)])
def test_a_prompt_over_the_window_is_said_and_five_times_of_it_refused(run, sandbox, capsys, model, window):
    run(f"text = 'word ' * {window}")
    run(f"%chat -m {model} --dry-run {{{{ text }}}}")
    said = capsys.readouterr().out
    assert f"more than the {window:,} that all" in said
    run(f"text = 'word ' * {window // 10 * 7}")
    run(f"%chat -m {model} --dry-run {{{{ text }}}}")
    assert "more than the" not in capsys.readouterr().out
    run(f"text = 'word ' * {window * 4 + 100}")
    with pytest.raises(RequestError, match=f"more than the {window:,} that all .*; nothing was sent"):
        run(f"%chat -m {model} {{{{ text }}}}")
    assert sandbox.received == []


LIBRARIES = {
    "pypdfium2": ("a.pdf", "pypdfium2"),
    "pathspec": ("src", "pathspec"),
    "openpyxl": ("a.xlsx", "pandas openpyxl"),
    "pyarrow": ("a.parquet", "pandas pyarrow"),
}


@pytest.fixture
def without(monkeypatch):
    """Have a library not be installed."""
    return lambda name: monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_reads_a_file_and_is_not_installed_is_named(run, sandbox, place, without, library):
    name, packages = LIBRARIES[library]
    makers = {"a.pdf": pdf(1), "src": source_tree, "a.xlsx": workbook(One=TABLE), "a.parquet": parquet(TABLE)}
    write(File(name, makers[name]), place)
    without(library)
    with pytest.raises(MediaError, match="is not installed; nothing was sent") as raised:
        run(f"%chat -a {name} hi")
    assert f"%pip install {packages}" in raised.value.hint
    assert sandbox.received == []


def test_texts_go_in_without_a_detector_and_tables_without_pandas(run, came, place, without):
    (place / "a.txt").write_bytes("Déjà vu".encode("latin-1"))
    (place / "a.csv").write_bytes(b"a,b\n1,2\n")
    without("charset_normalizer")
    without("pandas")
    run("%chat -a a.txt -a a.csv hi")
    found = came()
    assert "Déjà vu" in found.text
    assert "```\na,b\n1,2\n```" in found.text
    assert "as text, since pandas is not there" in found.said


@pytest.mark.parametrize("way", ["%%chat\n{{{{ {0} }}}} and {{{{ {0} }}}}", "%%chat -a {0} -a {0}\nHi"])
@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("big", "4,970 rows in the middle"),
        ("numbers", "9,261 items"),
        ("long", "parts of 20 cells"),
        ("both", "the elements of 1 inner table in it (attach each alone: -a NAME)"),
        ("few", ""),
    ],
)
def test_what_is_left_out_of_a_value_is_said_and_the_setting_takes_it(shell, capsys, name, cut, way):
    values = {"big": pd.DataFrame({"n": range(5_000)}), "numbers": [*range(10_000)], "few": TABLE[:5]}
    shell.push({**values, "long": pd.DataFrame({"text": ["word " * 50] * 20}), "both": [TABLE, 1]})
    cell = way.format(name)
    shell.run_cell(cell)
    said = capsys.readouterr().out
    assert said.count("does not go in whole") == bool(cut)
    if not cut:
        return
    more = "" if name == "both" else "; %config ChatSettings.value_chars = 40000 takes more"
    assert f"{name} does not go in whole. Left out: {cut}{more}." in said
    shell.run_cell("%config ChatSettings.value_chars = 1_000_000")
    shell.run_cell(cell)
    assert ("does not go in whole" in capsys.readouterr().out) == (name == "both")


@pytest.mark.parametrize(
    ("attached", "shown"),
    [
        ('df["height"]', "4       4"),
        ("df['a b'].sum()", "10"),
        ('df[["height", "a b"]]', "- a b: int64"),
        ('df.loc[2, "a b"]', "2"),
        ("df[df.height > 3]", "DataFrame, 1 row"),
        ('"df[df.height > 3]"', "DataFrame, 1 row"),
        ("max(df.height, default=0)", "4"),
        ('words["it\'s"]', "7.5"),
    ],
)
@pytest.mark.parametrize("way", ["-a {}", "--attach={}", "--attach {}"])
def test_an_expression_with_quotes_and_spaces_is_attached_as_it_is_typed(shell, came, attached, shown, way):
    shell.push({"df": pd.DataFrame({"height": range(5), "a b": range(5)}), "words": {"it's": 7.5}})
    shell.run_line_magic("chat", f"{way.format(attached)} | look at [it]")
    text = came().text
    assert f"{attached.strip(chr(34)) if attached[0] == chr(34) else attached}:\n" in text
    assert shown in text


@pytest.mark.parametrize(
    ("attached", "sign"),
    [
        ('df["height', "quote"),
        ("df[['height'", "["),
        ("(df, 1", "("),
        ("{'a': df", "{"),
        ("df.head(2", "("),
        ('df["height" Sum?', "["),
    ],
)
def test_an_expression_that_is_left_open_is_no_file(shell, attached, sign):
    shell.push({"df": pd.DataFrame({"height": range(5)})})
    with pytest.raises(MediaError, match=rf"leaves a {re.escape(sign)} open; nothing was sent"):
        shell.run_line_magic("chat", f"-a {attached}")


@pytest.mark.parametrize("value", ["(plot, df)", "[plot, 'a text']", "{'a': plot, 'b': df}"])
def test_the_prompt_is_not_the_last_line_of_what_is_attached(shell, sandbox, value):
    shell.push({"df": pd.DataFrame({"height": range(3)}), "plot": PIL.Image.new("RGB", (40, 40))})
    shell.run_line_magic("chat", f"-a {value} Compare.")
    parts = sandbox.received[-1].body["messages"][-1]["content"]
    text = "".join(part.get("text", "") for part in parts)
    assert text.endswith("\nCompare.")
