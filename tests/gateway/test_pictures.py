"""Pictures of a reply are taken out of its text, however that is cut, and nothing else is."""

from __future__ import annotations

import base64
import io
from itertools import pairwise

import PIL.Image
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xcyq_magic.errors import AnswerError
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.pictures import Pictures, pictures_in


def encoded(form: str = "PNG", size: tuple[int, int] = (3, 2)) -> str:
    buffer = io.BytesIO()
    PIL.Image.new("P", size).save(buffer, form)
    return base64.b64encode(buffer.getvalue()).decode()


PNG, GIF = encoded(), encoded("GIF")
URL = f"data:image/png;base64,{PNG}"
SVG = f"data:image/svg+xml;charset=utf-8;base64,{base64.b64encode(b'<svg/>' * 300).decode()}"


def read(pieces: list[str], found: tuple[tuple[str, str], ...] = ()) -> tuple[str, list]:
    """What is read of a text that comes in these pieces."""
    pictures = Pictures()
    said = [pictures(piece, []) for piece in pieces]
    said.append(pictures("", [*found], last=True))
    return "".join(text for text, _ in said), [i for _, images in said for i in images]


WHOLE = [URL, f"![]({URL})", f"![a b](<{URL}> 'T')", f'<img src="{URL}" a=b>', f"data:image/gif;base64,{GIF}"]
BEGUN = ["![", "](", ")", "<", "<img ", "src=", "data:", "data:image/png", ";base64,", "AAAA", "d", '"', " ", "\n", "é"]
BITS = st.sampled_from([*WHOLE, SVG, f"![s]({SVG})", *BEGUN])


@given(st.lists(BITS, max_size=8), st.lists(st.integers(0, 3000), max_size=20))
@example([f"![{'a' * 301}]({URL})"], [5, 310, 330])
@example([f"![{'a' * 300}]({URL})", "b" * 1000], [5, 310, 330])
@example([f"<img {'a' * 301} src={URL}>"], [100, 310])
def test_however_a_text_is_cut_the_same_pictures_are_read(bits, cuts):
    text = "".join(bits)
    bounds = [0, *sorted(c for c in cuts if c < len(text)), len(text)]
    whole = read([text])
    assert read([text[a:b] for a, b in pairwise(bounds)]) == whole
    assert read([*text]) == whole


@given(st.text(alphabet="![]()<>imgsrc=\"' data:,;/\n1A", max_size=300))
def test_a_text_without_a_picture_stays_as_it_is(text):
    assert read([*text]) == (text, [])


@pytest.mark.parametrize(
    "url", [SVG, f"data:image/png;base64,{'A' * 4000}", f"data:image/png;base64,{URL[22:80]}{'A' * 2000}"]
)
def test_what_is_large_is_no_text_whatever_it_is(url):
    text, images = read([f"See ![x]({url})."])
    assert text == "See [picture 1: x]."
    assert images[0].data
    assert "picture 1" in images[0].placeholder


@pytest.mark.parametrize("form", ["PNG", "GIF", "JPEG", "WEBP"])
def test_the_type_is_that_of_the_data(form):
    picture = io.BytesIO()
    PIL.Image.new("RGB", (4, 6)).save(picture, form)
    data = base64.b64encode(picture.getvalue()).decode()
    _, images = read([f"![](data:image/x-unknown;base64,{data})"])
    assert [(i.mime, i.width, i.height, i.data) for i in images] == [
        (f"image/{form.lower()}", 4, 6, picture.getvalue())
    ]


def test_pictures_beside_the_text_are_the_same_as_those_in_it():
    text, images = read([f"![]({URL})"], ((URL, ""), (PNG, "image/png"), (GIF, "")))
    assert text == "[picture 1]"
    assert [(i.name, i.mime) for i in images] == [("picture 1", "image/png"), ("picture 2", "image/gif")]


def test_url_safe_base64_and_percent_signs_are_read():
    data = PNG.replace("+", "-").replace("/", "_").rstrip("=")
    assert read([f"![](data:image/png;base64,{data})"])[1][0].data == base64.b64decode(PNG)
    quoted = PNG.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert read([f"![](data:image/png;base64,{quoted})"])[1][0].data == base64.b64decode(PNG)


def test_a_picture_without_end_is_refused():
    pictures = Pictures()
    pictures("![](data:image/png;base64," + "A" * (20 << 20), [])
    with pytest.raises(AnswerError, match="more than 32 MiB"):
        pictures("A" * (20 << 20), [])


def test_of_very_many_pictures_the_first_are_kept():
    pictures = Pictures()
    found = [(encoded("GIF", (n, 1)), "") for n in range(1, 130)]
    _, images = pictures("", found)
    assert len(images) == 100
    assert pictures.unreadable


@pytest.mark.parametrize("bit", ["![", "<img ", "data:image/", "![](data:image/png;base64,", "![a", "<img src="])
def test_a_hostile_text_takes_no_time(bit):
    """It is quadratic in nothing: minutes if it were."""
    pictures, text = Pictures(), bit * (100_000 // len(bit))
    out = "".join(pictures(text[i : i + 50], [])[0] for i in range(0, len(text), 50))
    assert out + pictures("", [], last=True)[0] == text


def test_the_key_is_not_in_what_a_picture_is_called():
    key = "sk-5ecret-0123456789"
    text, images = Pictures(ApiKey(key).hide)(f"![chart {key}]({URL})", [])
    assert images[0].note == "chart (the API key)"
    assert key not in text


@pytest.mark.parametrize(
    "said",
    [
        {"images": {"images": {"images": {}}}},
        {"image": 5, "images": [None, 5, [], {}]},
        {"content": [None, 5, {"type": "image"}, {"type": ["image"]}, {"type": "image_url", "image_url": None}]},
        {"content": {"type": "image_url", "image_url": [[[[[[[[URL]]]]]]]]}},
        {"images": "x"},
    ],
)
def test_what_is_no_picture_is_no_crash(said):
    read([""], tuple(pictures_in(said)))


@pytest.mark.parametrize("text", ["the end", "a friend, and", "Data", "xdata:image/png;base64,aGVsbG8=", "1d"])
def test_a_word_is_not_held_back_for_an_address_that_may_begin_within_it(text):
    for at in range(1, len(text) + 1):
        pictures = Pictures()
        first, _ = pictures(text[:at], [])
        assert first or "Data".startswith(text[:at])  # only what may be the scheme itself waits
        rest, _ = pictures(text[at:], [])
        last, found = pictures("", [], last=True)
        assert (first + rest + last, found) == (text, [])
