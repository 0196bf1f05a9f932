"""What files say: encodings, JSON by its structure, pages, folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from documents import folder, notebook, pdf, png_in_base64
from files import at_once, make_endless
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.parts import Text
from xcyq_magic.errors import MediaError
from xcyq_magic.media import text_files
from xcyq_magic.media.documents import split_pages
from xcyq_magic.media.resolve import Reading, attach, hint_for
from xcyq_magic.media.text.decoding import decoded
from xcyq_magic.media.text.json_text import shortened_json
from xcyq_magic.media.text_files import Bounds

TEXTS = st.text(
    st.characters(exclude_categories=["Cc", "Cn", "Co", "Cs"], exclude_characters="\ufeff\ufffd"), min_size=1
)
MARKED = ("utf-8-sig", "utf-16", "utf-32")


def read(path: Path | str, **bounds: int) -> tuple[str, str]:
    """The text of a document, and what is said to be left out."""
    documents = []
    parts = attach(str(path), reading=Reading(Bounds(**bounds), documents.append))
    return "".join(p.text for p in parts if isinstance(p, Text)), documents[0].left_out


@given(TEXTS, st.sampled_from(["utf-8", *MARKED]))
def test_a_text_is_read_as_it_was_written(text, encoding):
    found = decoded(text.encode(encoding))
    assert (found.text, found.guessed, found.broken) == (text, False, 0)


@given(TEXTS, st.sampled_from(["utf-8", "utf-8-sig"]), st.integers(1, 3))
def test_a_beginning_may_end_amid_a_character(text, encoding, cut):
    whole = (text + "日").encode(encoding)
    found = decoded(whole[:-cut], whole=False)
    assert found.text.rstrip("\ufffd") == text


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd(data):
    found = decoded(data)
    assert found is None or "\0" not in found.text


SENTENCES = {
    "latin-1": "Où est la bibliothèque ? Déjà vu, naïve, Größe, señor.",
    "cp1252": "“It’s fine” – he said… for 5 €",
    "cp1250": "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "cp1251": "Привет, как дела? Это проверка кодировки.",
    "cp1253": "Καλημέρα κόσμε, αυτό είναι ένα κείμενο.",
    "cp932": "これは日本語の文章です。文字コードのテスト。",
    "gb18030": "这是一个中文文本，用来测试编码。",
    "big5": "這是一個中文文本，用來測試編碼。",
    "cp949": "안녕하세요. 이것은 한국어 텍스트입니다.",
}


@pytest.mark.parametrize(("encoding", "text"), SENTENCES.items())
def test_an_old_encoding_is_told_from_a_sentence(encoding, text):
    found = decoded((text + "\n").encode(encoding) * 3)
    assert found.guessed
    assert found.text == (text + "\n") * 3


@pytest.mark.parametrize("text", ["café", "name;city\nJosé;São Paulo\n", "£5", "5 µm", "naïve"])
def test_a_few_words_are_read_as_western(text):
    assert decoded(text.encode("latin-1")).text == text


@pytest.mark.parametrize("data", [b"a\0b", bytes(range(256)), b"\0\1\2\xff" * 9, b"\x01\x02\x03\x04" * 9])
def test_what_is_no_text_is_none(data):
    assert decoded(data) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=9), inner, max_size=30),
    max_leaves=200,
)


@given(JSON, st.integers(50, 2000))
def test_shortened_json_is_json_and_whole_where_it_fits(value, chars):
    short = shortened_json(value, chars)
    whole = json.dumps(value, indent=1, ensure_ascii=False)
    assert len(whole) > chars or not short.cut
    assert (json.loads(short.text) == value) == (not short.cut)
    assert len(short.text) <= max(len(whole) + 200, chars)  # what counts a few items may be longer than these


def test_json_keeps_its_structure_and_counts_what_it_leaves_out():
    value = {"rows": list(range(5000)), "names": {f"n{i}": i for i in range(3000)}, "text": "x" * 9000}
    short = json.loads(shortened_json(value, 3000).text)
    assert list(short) == ["rows", "names", "text"]
    kept = len(short["rows"]) - 1
    assert short["rows"][-1] == f"… {5000 - kept:,} more of 5,000 left out"
    assert short["names"]["…"] == f"{3000 - kept:,} more of 3,000 left out"
    assert "more characters" in short["text"]
    cut = shortened_json(value, 3000).cut
    assert cut == f"{8000 - 2 * kept:,} items of its lists and objects and 8,250 characters of its strings"
    rows = [{"n": n, "list": [1, 2]} for n in range(9000)]
    here, more = (shortened_json(rows, chars) for chars in (3000, 30_000))
    assert here.cut
    assert len(more.text) > 5 * len(here.text) > 9000


def test_json_that_goes_in_without_its_indentation_is_whole(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"n": n, "list": [1, 2]} for n in range(2000)], indent=8))
    text, left_out = read(path)
    assert len(text) < path.stat().st_size / 3
    assert not left_out
    assert "shortened" not in text


def test_ten_times_the_bound_takes_more_pictures_of_a_notebook(tmp_path):
    png = png_in_base64((200, 0, 0))
    output = {"output_type": "display_data", "data": {"image/png": png}, "metadata": {}}
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": "plot()", "outputs": [output]}
    path = tmp_path / "plots.ipynb"
    path.write_text(json.dumps({"cells": [cell] * 30, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    assert "document_chars = 1000000 takes more" in read(path)[1]
    assert not read(path, document=1_000_000)[1]


def test_brackets_are_pages_where_no_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.pdf", "b", "c[1].pdf", "d[2]"):
        Path(name).touch()
    for text, found in {
        "a.pdf[3-5]": ("a.pdf", "3-5"),
        "b[text]": ("b", "text"),
        "c[1].pdf": ("c[1].pdf", None),
        "c[1].pdf[2]": ("c[1].pdf", "2"),
        "d[2]": ("d[2]", None),
        "gone.pdf[1]": ("gone.pdf", "1"),
        "gone[1]": ("gone[1]", None),
        "a.pdf": ("a.pdf", None),
        "\0[1]": ("\0[1]", None),
    }.items():
        assert split_pages(text) == found


@pytest.mark.parametrize(
    ("pages", "numbers"),
    [
        ("2", "2"),
        ("1,3", "1, 3"),
        ("3-", "3-5"),
        ("-2", "1-2"),
        ("2-3,2,5", "2-3, 5"),
        (" 1 – 2 ", "1-2"),
        ("5,1", "5, 1"),
    ],
)
def test_pages_are_chosen(tmp_path, pages, numbers):
    (tmp_path / "a.pdf").write_bytes(pdf(5))
    text, left_out = read(f"{tmp_path / 'a.pdf'}[{pages},text]")
    assert text.startswith(f"a.pdf (page{'s' * (len(numbers) > 1)} {numbers} of 5, their text):\n")
    assert left_out == ""


@pytest.mark.parametrize("pages", ["0", "6", "2-9", "9-", "4-2", "", "-", "1,,2", "a", "1.5", "1-2-3"])
def test_pages_that_are_none_are_refused(tmp_path, pages):
    (tmp_path / "a.pdf").write_bytes(pdf(5))
    with pytest.raises(MediaError, match="nothing was sent") as raised:
        read(f"{tmp_path / 'a.pdf'}[{pages}]")
    assert "[" in raised.value.hint


def test_pages_are_those_of_a_pdf(tmp_path):
    (tmp_path / "a.md").write_text("hi")
    with pytest.raises(MediaError, match="pages are those of a PDF"):
        read(f"{tmp_path / 'a.md'}[2]")
    with pytest.raises(MediaError, match="is a folder"):
        read(f"{tmp_path}[2]")


def test_a_hundred_pages_are_the_most(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(101, size=(20, 20)))
    with pytest.raises(MediaError, match="names 101 pages, and 100 go in"):
        attach(f"{tmp_path / 'a.pdf'}[1-]")
    assert len(attach(f"{tmp_path / 'a.pdf'}[1-100]")) == 101


def test_the_text_of_pages_ends_where_the_characters_do(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(50))
    text, left_out = read(f"{tmp_path / 'a.pdf'}[text]", document=200)
    assert "This is page 13." in text
    assert "This is page 14." not in text
    assert left_out == "Left out: pages 14-50; -a a.pdf[14-50,text] has more."


def test_a_folder_shares_its_characters(tmp_path):
    folder(tmp_path / "f", a_dot_txt="short", b_dot_txt="b" * 9000, c_dot_txt="c" * 9000)
    text, left_out = read(tmp_path / "f", document=1005)
    assert "a.txt:\n```\nshort\n```" in text
    assert abs(text.count("b") - text.count("c")) < 60
    assert "parts of b.txt, c.txt" in left_out


def test_a_folder_is_sorted_and_takes_notebooks_json_and_tables_as_such(tmp_path):
    pictures = [{"output_type": "display_data", "data": {"image/png": "A" * 10_000}}]
    folder(
        tmp_path / "f",
        c_dot_ipynb=notebook(("code", "plot()", pictures)),
        b_dot_csv="x,y\n1,2\n",
        a_dot_json=json.dumps(list(range(90_000))),
    )
    text, _ = read(tmp_path / "f")
    assert text.index("\na.json (") < text.index("\nb.csv (") < text.index("\nc.ipynb (")
    assert "more of 90,000 left out" in text
    assert "DataFrame, 1 row × 2 columns" in text
    assert "plot()" in text
    assert "AAAA" not in text


def test_what_git_ignores_above_a_folder_is_ignored_unless_the_folder_is_named(tmp_path):
    folder(
        tmp_path,
        _dot_git__HEAD="",
        _dot_gitignore="*.tmp\nbuild/\n",
        src__a_dot_tmp="no",
        src__b_dot_txt="yes",
        build__c_dot_tmp="named",
    )
    assert "a.tmp" not in read(tmp_path / "src")[0]
    assert "named" in read(tmp_path / "build")[0]


def test_what_git_ignores_is_ignored_though_an_editor_wrote_a_byte_order_mark_before_it(tmp_path):
    folder(tmp_path, _dot_gitignore="\ufeffkeys.txt\n", keys_dot_txt="no", a_dot_txt="yes")
    assert "keys.txt" not in read(tmp_path)[0]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_called_as_git_ignores_and_is_no_file_says_nothing(tmp_path, kind):
    folder(tmp_path / "f", a_dot_txt="yes")
    make_endless(kind, tmp_path / "f" / ".gitignore")
    with at_once():
        assert "yes" in read(tmp_path / "f")[0]


def test_a_pattern_that_takes_hours_is_refused(tmp_path):
    folder(tmp_path / "f", _dot_gitignore="*.tmp\n**/a*b*c/*\n" + "*a" * 12 + "b\n", **{"a" * 200 + "c": "hi"})
    with at_once(), pytest.raises(MediaError, match=r"has a \.gitignore with .*; nothing was sent"):
        read(tmp_path / "f")


def test_a_folder_without_git_needs_nothing_that_reads_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pathspec", None)
    folder(tmp_path / "f", a_dot_txt="yes")
    assert "yes" in read(tmp_path / "f")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="names with line ends")
def test_a_name_cannot_look_like_another_file(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "a\n```\nb.txt").write_text("hi")
    text, _ = read(tmp_path / "f")
    assert "\nb.txt" not in text


def test_a_part_of_a_long_table_says_that_it_is_one(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 5000)
    text, left_out = read(path, read=4000)
    assert text.startswith("a.csv (the first 999 rows, as pandas reads them):")
    assert left_out.startswith("Left out: all but the first 999 rows")


def test_a_notebook_says_what_is_left_out_of_it(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_bytes(notebook(*(("code", f"x{n} = '{'y' * 500}'", []) for n in range(20))))
    text, left_out = read(path, document=3000)
    assert "x19" in text
    assert "x0 " not in text
    assert "cells" in left_out


def test_private_cells_and_keys_of_a_notebook_stay_out(tmp_path):
    cells = [("code", "# private\nname = 'Ann'", []), ("code", "password = 'plover7-Xyzzy'", []), ("code", "a = 1", [])]
    path = tmp_path / "a.ipynb"
    path.write_bytes(notebook(*cells))
    text, _ = read(path)
    assert "a = 1" in text
    assert "Ann" not in text
    assert "plover7" not in text
    path.write_bytes(notebook(cells[0]))
    with pytest.raises(MediaError, match="All cells of this notebook are private; nothing was sent"):
        read(path)
    folder(tmp_path / "f", a_dot_ipynb=notebook(cells[0]), b_dot_txt="Some words.")
    try:
        text, _ = read(tmp_path / "f")
    except MediaError:
        return
    assert "Ann" not in text


def test_a_text_of_a_path_is_not_hinted_at(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("<Axes object at 0x7f00>")
    assert hint_for(path, "path", "<Axes object at 0x7f00>") is None


def test_a_language_is_told_by_a_name():
    found = {
        name: text_files.language_of(name) for name in ("a.py", "Makefile", "a.txt", "x.unknown", "b/c.rs", "a.yml")
    }
    assert found == {
        "a.py": "python",
        "Makefile": "make",
        "a.txt": "",
        "x.unknown": "",
        "b/c.rs": "rust",
        "a.yml": "yaml",
    }
