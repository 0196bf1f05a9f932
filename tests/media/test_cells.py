"""A notebook's cells as content parts: what of each goes, and what is left out where not all can."""

from __future__ import annotations

import base64
import io

import PIL.Image
import pytest
from files import at_once
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.parts import Image, Text
from xcyq_magic.media.cells import Cell, cell_of, parts_of_cells, printed

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="`"), max_size=3_000)
CELLS = st.builds(
    Cell,
    source=TEXTS,
    kind=st.sampled_from(["code", "markdown"]),
    number=st.none() | st.integers(0, 99),
    outputs=st.lists(TEXTS.filter(bool), max_size=3).map(tuple),
)


def png() -> str:
    """A small picture in base64."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (40, 30), "red").save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def text_of(shown) -> str:
    return "".join(p.text for p in shown.parts if isinstance(p, Text))


@given(st.lists(CELLS, min_size=1, max_size=8), st.integers(1_000, 20_000))
def test_text_keeps_to_its_bound_and_the_nearest_cells_are_the_last_to_be_shortened(cells, chars):
    shown = parts_of_cells(cells, chars, 4)
    text = text_of(shown)
    assert len(text) <= chars + 200  # of a cell that is shortened, the lines that say so
    assert 1 <= shown.cells <= len(cells)
    whole = [text_of(parts_of_cells([cell], 10**9, 4)) for cell in cells]
    if sum(map(len, whole)) <= chars and all(len(one) <= chars // 2 for one in whole):
        assert text == "".join(whole)
        assert not shown.shortened
    if len(whole[-1]) <= chars // 2:
        assert text.endswith(whole[-1])


def test_of_a_long_cell_the_outputs_are_shortened_before_what_was_typed():
    cell = Cell("typed = 1\n" * 20, outputs=("short", "long " * 5_000))
    text = text_of(parts_of_cells([Cell("before"), cell], 4_000, 0))
    assert text.count("typed = 1") == 20
    assert "short\n" in text
    assert "characters left out" in text
    assert "before" in text  # one long log leaves room for others


def test_a_cell_with_many_outputs_keeps_to_the_bound():
    cell = Cell("shown", outputs=tuple(f"output {n} of many" for n in range(5_000)))
    text = text_of(parts_of_cells([Cell("before"), cell], 4_000, 0))
    assert len(text) < 4_000
    assert "before" in text
    assert "output 0 of many" in text
    assert "output 4999 of many" in text


def test_each_picture_follows_its_cell_the_nearest_where_not_all_go():
    cells = [Cell(f"plot({n})", number=n, picture=("image/png", png())) for n in range(3)]
    shown = parts_of_cells(cells, 4_000, 2)
    assert [type(p) for p in shown.parts] == [Text, Image, Text, Image]
    assert "plot(0)\n```\n\n[a picture, left out]" in shown.parts[0].text
    assert shown.parts[0].text.endswith("plot(1)\n```\n\n")
    assert [p.name for p in shown.parts if isinstance(p, Image)] == ["the picture of In [1]", "the picture of In [2]"]
    assert shown.shortened == 1


def test_a_picture_that_cannot_be_read_is_a_line():
    shown = parts_of_cells([Cell("plot()", picture=("image/png", "AAAA"))], 4_000, 2)
    assert text_of(shown).endswith("[a picture (image/png) that cannot be read]\n\n")


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("1 of 3\r2 of 3\r3 of 3", "3 of 3"),
        ("1 of 3\r2 of 3\r3 of 3\ndone\n", "3 of 3\ndone"),
        ("line\r\nline\r\n", "line\nline"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\n\nb", "a\n\nb"),
        ("working\r", "working"),
        ("12345\rab", "ab345"),  # no more is overwritten than what is written
        ("12345\b\b6\b", "123"),
        ("\b\bab", "ab"),
        ("long " * 100_000, "long " * 100_000),  # in a time that grows with the text, not with its square
    ],
)
def test_what_is_printed_goes_as_the_page_shows_it(text, stays):
    assert printed(text) == stays


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"text/plain": "<Figure size 640x480 with 1 Axes>", "image/png": "AAAA"}, ()),
        ({"text/plain": "x**2", "image/png": "AAAA"}, ("x**2",)),
        ({"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": ["**a**\n", "b"]}, ("**a**\nb",)),
        (
            {"text/plain": "<IPython.core.display.HTML object>", "text/html": "<p>a &lt; b</p><style>x</style>"},
            ("a < b",),
        ),
        (
            {"text/plain": "<pandas.io.formats.style.Styler at 0x7f00>", "text/html": "<tr><th>a</th><td>1</td></tr>"},
            ("a | 1",),
        ),
        ({"text/plain": ["   x\n", "0  1"], "text/html": "<table></table>"}, ("   x\n0  1",)),
        ({"text/html": "<b>only</b>"}, ("only",)),
        ({"application/json": {}}, ()),
        ({"text/html": "<p>before<![if x]> <![<![> after &lt; <b"}, ("before after < <b",)),
    ],
)
def test_a_value_is_told_by_its_text_or_by_what_says_more(data, text):
    assert (
        cell_of(
            {"cell_type": "code", "source": "x", "outputs": [{"output_type": "display_data", "data": data}]}
        ).outputs
        == text
    )


def test_a_piece_overwrites_only_what_went_to_the_same_stream():
    pieces = [("stdout", "50 %"), ("stdout", "\r100 %"), ("stderr", "\rwarning"), ("stdout", "\rdone\n")]
    outputs = [{"output_type": "stream", "name": name, "text": text} for name, text in pieces]
    assert cell_of({"source": "x", "outputs": outputs}).outputs == ("100 %\nwarning\ndone",)


@pytest.mark.parametrize("flaw", [lambda b: b[:-20], lambda b: b[:60] + bytes([b[60] ^ 1]) + b[61:]])
def test_a_png_that_is_damaged_does_not_go(flaw):
    data = base64.b64encode(flaw(base64.b64decode(png()))).decode()
    shown = parts_of_cells([Cell("plot()", picture=("image/png", data))], 4_000, 2)
    assert text_of(shown).endswith("[a picture (image/png) that cannot be read]\n\n")


@pytest.mark.parametrize("piece", ["<a ", "<a b='", "</", "<!--", "<?", "<script", "`"])
def test_what_would_take_hours_is_read_at_once(piece):
    outputs = [{"output_type": "display_data", "data": {m: piece * 300_000}} for m in ("text/html", "text/plain")]
    with at_once():
        assert parts_of_cells([cell_of({"source": "x", "outputs": [o]}) for o in outputs], 4_000, 0).cells


KEYS = ["source", "outputs", "data", "text", "text/plain", "text/html", "image/png", "output_type", "traceback"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(KEYS), v, max_size=5),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["source", "outputs", "execution_count", "cell_type"]), JSON))
def test_whatever_a_file_holds_is_read(record):
    parts_of_cells([cell_of(record)], 1_000, 1)
