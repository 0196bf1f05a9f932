"""Pictures: read as they are, and sent as a model takes them, with nothing in them but pixels."""

from __future__ import annotations

import gc
import io
import random
import re
import struct
import threading
import weakref
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import ExifTags, ImageChops, ImageDraw, ImageStat, PngImagePlugin
from PIL import Image as Pillow

from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image
from xcyq_magic.errors import MediaError
from xcyq_magic.gateway.catalog import CLAUDE, GEMINI, GPT, image_limits
from xcyq_magic.media.files import read_media
from xcyq_magic.media.fit import Fitting, fit, thumbnail
from xcyq_magic.media.images import ImageLimits

# Small, so that the tests' pictures can be: 100 pixels, any number of bytes.
SMALL = ImageLimits(frozenset({"image/png", "image/jpeg", "image/webp"}), long_edge=100)
PLACE = b"47.3769 N"


def encode(picture: Pillow.Image, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def decode(image: Image) -> Pillow.Image:
    picture = Pillow.open(io.BytesIO(image.data))
    picture.load()
    return picture


def attached(tmp_path: Path, data: bytes, name: str = "picture") -> Image:
    path = tmp_path / name
    path.write_bytes(data)
    return read_media(path)


def plain(mode: str = "RGB", size: tuple[int, int] = (300, 200), colour: object = None) -> Pillow.Image:
    return Pillow.new(mode, size, "#ff8000" if colour is None else colour)


def noise(width: int, height: int, mode: str = "RGB") -> Pillow.Image:
    dice = random.Random(7)  # noqa: S311  # the same noise each time, not a secret
    return Pillow.frombytes(mode, (width, height), dice.randbytes(width * height * len(mode)))


# Reading


@pytest.mark.parametrize(
    ("form", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")]
)
def test_a_picture_is_read_as_it_is(tmp_path, form, mime):
    data = encode(plain(), form)
    path = tmp_path / f"plot.{form.lower()}"
    path.write_bytes(data)
    image = read_media(path)
    assert image == Image(data, mime, 300, 200, path.name)


def test_the_bytes_tell_the_format_not_the_name(tmp_path):
    assert attached(tmp_path, encode(plain(), "JPEG"), "plot.png").mime == "image/jpeg"


@pytest.mark.parametrize("form", ["BMP", "TIFF", "PPM"])
def test_what_else_pillow_reads_is_sent_as_png(tmp_path, form):
    image = fit(attached(tmp_path, encode(plain(), form)), GPT.images)
    assert (image.mime, decode(image).format) == ("image/png", "PNG")
    assert decode(image).convert("RGB").getpixel((5, 5)) == (255, 128, 0)


def huge(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png(chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join([*chunks, chunk(b"IEND", b"")])


BAD_FILES = {
    "text": (b"x,y\n1,2\n", "is not a picture"),
    "nothing": (b"", "is not a picture"),
    "pdf": (b"%PDF-1.7\n", "is not a picture"),
    "truncated PNG": (encode(noise(50, 50))[:3000], "is damaged"),
    "truncated JPEG": (encode(noise(50, 50), "JPEG")[:1500], "is damaged"),
    "PNG without pixels": (huge(50, 50), "is damaged"),
    "PNG with a broken checksum": (encode(plain()).replace(b"IDAT", b"IDAX"), ""),
    "header alone": (encode(plain())[:20], "is not a picture"),
    "bomb": (huge(20_000, 20_000), "has too many pixels"),
    "half a bomb": (huge(12_000, 12_000), "has too many pixels"),
}


@pytest.mark.parametrize(("data", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_what_is_no_sound_picture_is_refused(tmp_path, data, words):
    path = tmp_path / "odd.png"
    path.write_bytes(data)
    with pytest.raises(MediaError) as raised:
        read_media(path, "~/odd.png")
    assert "~/odd.png" in raised.value.message
    assert words in raised.value.message
    assert "nothing was sent" in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(("name", "words"), [("missing.png", "no such file"), ("", "is a directory")])
def test_what_is_no_file_is_refused(tmp_path, name, words):
    with pytest.raises(MediaError) as raised:
        read_media(tmp_path / name, "my plot")
    assert "my plot cannot be attached" in raised.value.message
    assert words in raised.value.message
    assert "nothing was sent" in raised.value.message
    assert str(Path.cwd()) in raised.value.hint


def test_a_path_that_no_system_takes_is_refused():
    with pytest.raises(MediaError, match="nothing was sent"):
        read_media(Path("a\0b.png"))


# What fits


@pytest.mark.parametrize("limits", [GPT.images, CLAUDE.images, GEMINI.images], ids=["GPT", "Claude", "Gemini"])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_within_the_limits_is_sent_as_it_is(tmp_path, form, limits):
    image = attached(tmp_path, encode(plain(), form))
    assert fit(image, limits) is image


def test_a_still_gif_is_sent_as_it_is_where_it_is_taken(tmp_path):
    image = attached(tmp_path, encode(plain(), "GIF"))
    assert fit(image, GPT.images) is image


def test_a_figure_of_matplotlib_is_sent_as_it_is(tmp_path):
    about = PngImagePlugin.PngInfo()
    about.add_text("Software", "Matplotlib version3.9, https://matplotlib.org/")
    image = attached(tmp_path, encode(plain("RGBA"), pnginfo=about, dpi=(72, 72)))
    assert fit(image, CLAUDE.images) is image


@pytest.mark.parametrize(
    ("model", "size", "sent"),
    [
        ("gpt-5.4", (4096, 1024), (2048, 512)),
        ("claude-sonnet-4-6", (1000, 3136), (500, 1568)),
        ("claude-opus-4-7", (5152, 100), (2576, 50)),
        ("gemini-2.5-pro", (2049, 2049), (2048, 2048)),
        ("gpt-5.4", (9000, 3), (2048, 1)),
    ],
)
def test_a_large_picture_is_scaled_to_the_long_edge(tmp_path, model, size, sent):
    image = fit(attached(tmp_path, encode(plain(size=size))), image_limits(model))
    assert (image.width, image.height) == decode(image).size == sent
    assert image.name == "picture"


@pytest.mark.parametrize(
    ("size", "sent"),
    [
        ((64, 64), (256, 256)),
        ((10, 150), (20, 300)),
        ((199, 3), (398, 6)),
        ((1, 1), (200, 200)),
        ((200, 5), (200, 5)),
        ((300, 20), (300, 20)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_a_picture_of_few_pixels_is_enlarged_so_that_each_is_a_square(tmp_path, mode, size, sent):
    picture = noise(*size).convert(mode)
    image = fit(attached(tmp_path, encode(picture)), GPT.images)
    came = decode(image)
    assert (came.size, came.format, image.width, image.height) == (sent, "PNG", *sent)
    assert came.convert("RGBA").tobytes() == picture.convert("RGBA").resize(sent, Pillow.Resampling.NEAREST).tobytes()
    if sent != size:
        assert image.caption.startswith(f"{size[0]}×{size[1]} → {sent[0]}×{sent[1]}, ")


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF"])
def test_a_small_picture_of_any_format_is_enlarged_without_a_loss(tmp_path, form):
    data = encode(noise(40, 30), form)
    came = decode(fit(attached(tmp_path, data), GEMINI.images)).convert("RGB")
    there = Pillow.open(io.BytesIO(data)).convert("RGB").resize((200, 150), Pillow.Resampling.NEAREST)
    assert came.tobytes() == there.tobytes()


def test_a_picture_is_not_enlarged_beyond_what_is_sent(tmp_path):
    assert decode(fit(attached(tmp_path, encode(noise(30, 20))), SMALL)).size == (90, 60)


def checkerboard(mode: str) -> Pillow.Image:
    """Black and white pixel by pixel: scaled down well it is grey, badly it is black or white."""
    board = Pillow.new("L", (400, 400))
    board.putdata([255 * ((x + y) % 2) for y in range(400) for x in range(400)])
    return board.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_a_picture_is_scaled_with_a_good_filter(tmp_path, mode):
    image = fit(attached(tmp_path, encode(checkerboard(mode))), SMALL)
    middle = decode(image).convert("L").crop((10, 10, 90, 90))
    low, high = middle.getextrema()
    assert low > 100
    assert high < 155


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_graphics_stay_png(tmp_path, form):
    image = fit(attached(tmp_path, encode(plain(size=(300, 200)), form)), SMALL)
    assert (image.mime, decode(image).format) == ("image/png", "PNG")


def test_a_photograph_stays_jpeg(tmp_path):
    image = fit(attached(tmp_path, encode(plain(size=(300, 200)), "JPEG")), SMALL)
    assert (image.mime, decode(image).format) == ("image/jpeg", "JPEG")


# What is said of it


def test_a_caption_tells_the_size_before_and_after(tmp_path):
    image = fit(attached(tmp_path, encode(plain("L", (4096, 3072), 9))), CLAUDE.images)
    assert image.caption.startswith("4096×3072 → 1568×1176, ")
    again = fit(image, ImageLimits(SMALL.mimes, long_edge=784))
    assert again.caption.startswith("4096×3072 → 784×588, ")


def test_a_caption_tells_what_became_of_frames_and_greys(tmp_path):
    frames = [plain(colour=c) for c in ("red", "blue", "lime")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert fit(attached(tmp_path, data), GPT.images).note == "first of 3 frames"
    assert (
        fit(attached(tmp_path, encode(Pillow.new("I;16", (300, 200)))), SMALL).note == "scaled from 0..65535 to 0..255"
    )
    assert fit(replace(attached(tmp_path, encode(plain(size=(300, 200)))), note="mine"), SMALL).note == "mine"


# PNG or JPEG: what is smaller at the same looks


def photograph(width: int = 900, height: int = 600) -> Pillow.Image:
    """Soft shapes with the noise of a sensor."""
    small = noise(12, 8).resize((width, height), Pillow.Resampling.BICUBIC)
    return Pillow.blend(small, noise(width, height), 0.02)


def drawing(width: int = 900, height: int = 600) -> Pillow.Image:
    picture = Pillow.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for n in range(0, width, 7):
        draw.line((n, 0, width - n, height), "navy")
        draw.text((n, n % height), "label", "black")
    return picture


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_a_photograph_that_is_encoded_anew_becomes_a_jpeg_that_looks_the_same(tmp_path, form):
    picture = photograph()
    options = {"lossless": True} if form == "WEBP" else {}
    image = fit(attached(tmp_path, encode(picture, form, **options)), ImageLimits(SMALL.mimes, long_edge=800))
    assert image.mime == "image/jpeg"
    expected = picture.resize((800, 533), Pillow.Resampling.LANCZOS)
    assert len(image.data) * 3 < len(encode(expected))
    off = ImageStat.Stat(ImageChops.difference(decode(image), expected))
    assert max(off.rms) < 4


def test_lines_and_letters_stay_exact(tmp_path):
    picture = drawing()
    image = fit(attached(tmp_path, encode(picture, "TIFF")), ImageLimits(SMALL.mimes, long_edge=1000))
    assert image.mime == "image/png"
    assert decode(image).tobytes() == picture.tobytes()


def test_a_transparent_photograph_stays_png(tmp_path):
    picture = photograph().convert("RGBA")
    picture.putalpha(noise(900, 600, "L"))
    assert fit(attached(tmp_path, encode(picture)), ImageLimits(SMALL.mimes, long_edge=800)).mime == "image/png"


# What is fitted once


def test_what_was_fitted_is_used_again_with_its_base64(tmp_path):
    fitting = Fitting()
    message = Message.of("user", attached(tmp_path, encode(plain(size=(300, 200)))), "text")
    first, again = (fitting.message(message, SMALL).parts[0] for _ in range(2))
    assert again is first
    assert again.data_url is first.data_url
    assert fitting.message(message, GPT.images).parts[0] is message.parts[0]


def test_pictures_of_the_same_pixels_keep_their_names(tmp_path):
    fitting = Fitting()
    data = encode(plain(size=(300, 200)))
    messages = [Message.of("user", attached(tmp_path, data, name)) for name in ("one", "two", "one")]
    assert [fitting.message(m, SMALL).images[0].name for m in messages] == ["one", "two", "one"]


@pytest.mark.parametrize(("most", "most_bytes"), [(3, 10**9), (100, 700_000)])
def test_what_was_not_used_for_longest_is_forgotten(tmp_path, most, most_bytes):
    """Each picture takes 100 kB and 133 kB of base64, so that 700 kB hold three."""
    fitting = Fitting(most, most_bytes)
    limits = ImageLimits(SMALL.mimes, long_edge=190)
    messages = [Message.of("user", attached(tmp_path, encode(noise(200 + n, 180)))) for n in range(4)]
    first = [fitting.message(m, limits).images[0] for m in messages]
    assert all(90_000 < len(i.data) < 100_000 for i in first)
    again = [fitting.message(m, limits).images[0] for m in (messages[1], messages[3], messages[0])]
    assert [a is f for a, f in zip(again, (first[1], first[3], first[0]), strict=True)] == [True, True, False]
    assert again[2] == first[0]


def test_threads_that_fit_the_same_picture_count_it_once(tmp_path):
    """Counted by each of them, it would be 1.9 MB, and forgotten for the next."""
    fitting, together = Fitting(100, 700_000), threading.Barrier(8)
    limits = ImageLimits(SMALL.mimes, long_edge=190)
    messages = [Message.of("user", attached(tmp_path, encode(noise(200 + n, 180)))) for n in range(3)]

    def fitted(_):
        together.wait()
        return fitting.message(messages[0], limits).images[0]

    with ThreadPoolExecutor(8) as threads:
        first = set(map(id, list(threads.map(fitted, range(8)))))
    for message in messages[1:]:
        fitting.message(message, limits)
    assert first == {id(fitting.message(messages[0], limits).images[0])}


def test_a_small_copy_is_made_once_and_holds_no_picture(tmp_path):
    image = attached(tmp_path, encode(noise(300, 200)))
    small = thumbnail(image)
    assert thumbnail(image) is small
    assert small.startswith("data:image/webp;base64,")
    assert len(small) < 20_000
    held = weakref.ref(image)
    del image
    gc.collect()
    assert held() is None


# Orientation and metadata


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(60, 40), (600, 400)])
def test_the_orientation_is_applied_and_the_place_is_gone(tmp_path, form, size):
    picture = plain(size=size, colour="red")
    picture.paste("blue", (0, 0, size[0], size[1] // 2))  # the upper half, as it lies in the file
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned clockwise by a quarter
    exif[ExifTags.Base.Make] = "Lumière"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSMapDatum: PLACE.decode()}
    data = encode(picture, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    assert PLACE in data
    image = fit(attached(tmp_path, data), SMALL)
    assert PLACE not in image.data
    assert b"Lumi" not in image.data
    assert not decode(image).getexif()
    assert image.height > image.width
    upright = decode(image).convert("RGB")
    right, left = upright.getpixel((image.width - 5, 20)), upright.getpixel((5, 20))
    assert right[2] - right[0] > 200  # blue
    assert left[0] - left[2] > 200  # red


def with_text_before_the_pixels() -> bytes:
    about = PngImagePlugin.PngInfo()
    about.add_text("Location", PLACE.decode())
    return encode(plain(), pnginfo=about)


def with_chunk_after_the_pixels(kind: bytes, content: bytes) -> bytes:
    data = encode(plain())
    return data[:-12] + chunk(kind, content) + data[-12:]


def with_segment(marker: bytes, content: bytes) -> bytes:
    data = encode(plain(), "JPEG")
    return data[:2] + b"\xff" + marker + struct.pack(">H", len(content) + 2) + content + data[2:]


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + PLACE + b"</x:xmpmeta>"
TELLING = {
    "PNG text": with_text_before_the_pixels(),
    # ImageMagick and exiftool write theirs after the pixels.
    "PNG text after the pixels": with_chunk_after_the_pixels(b"tEXt", b"Location\0" + PLACE),
    "PNG XMP after the pixels": with_chunk_after_the_pixels(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "PNG chunk of an unknown kind": with_chunk_after_the_pixels(b"plCe", PLACE),
    "PNG with more behind its end": encode(plain()) + PLACE,
    "JPEG comment": encode(plain(), "JPEG", comment=PLACE),
    "JPEG XMP": with_segment(b"\xe1", b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    "JPEG segment of an unknown kind": with_segment(b"\xe9", b"PLACE\0" + PLACE),
    # A phone's moving picture is a film behind the photograph.
    "JPEG with more behind its end": encode(plain(), "JPEG") + PLACE,
    "GIF comment": encode(plain(), "GIF", comment=PLACE),
    "WEBP XMP": encode(plain(), "WEBP", xmp=XMP),
}


@pytest.mark.parametrize("data", TELLING.values(), ids=TELLING)
def test_nothing_but_pixels_is_sent(tmp_path, data):
    assert PLACE in data
    image = fit(attached(tmp_path, data), GPT.images)
    assert PLACE not in image.data
    assert decode(image).size == (300, 200)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # Pillow's word for it
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_a_picture_with_broken_metadata_is_sent_without_it(tmp_path, exif):
    data = encode(plain(), "JPEG", exif=exif)
    image = fit(attached(tmp_path, data), GPT.images)
    assert b"Exif" not in image.data
    assert decode(image).size == (300, 200)


# Formats


def test_a_gif_becomes_png_for_gemini(tmp_path):
    image = fit(attached(tmp_path, encode(plain(), "GIF")), GEMINI.images)
    assert (image.mime, decode(image).format) == ("image/png", "PNG")
    assert decode(image).convert("RGB").getpixel((5, 5)) == (255, 128, 0)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("limits", [GPT.images, GEMINI.images], ids=["GPT", "Gemini"])
def test_of_an_animation_the_first_frame_is_sent(tmp_path, form, limits):
    options = {"lossless": True} if form == "WEBP" else {}
    frames = [plain(colour=c) for c in ("red", "blue", "lime")]
    data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=50, **options)
    image = fit(attached(tmp_path, data), limits)
    sent = decode(image)
    assert getattr(sent, "n_frames", 1) == 1
    assert sent.convert("RGB").getpixel((5, 5)) == (255, 0, 0)
    assert image.mime == "image/png"


def test_a_picture_of_too_many_bytes_becomes_a_jpeg_that_is_small_enough(tmp_path):
    data = encode(noise(1500, 1500))
    assert len(data) > CLAUDE.images.max_bytes
    image = fit(attached(tmp_path, data), CLAUDE.images)
    assert (image.mime, decode(image).format) == ("image/jpeg", "JPEG")
    assert len(image.data) <= CLAUDE.images.max_bytes
    assert (image.width, image.height) == (1500, 1500)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("max_bytes", [30_000, 16_000, 8_000])
def test_a_picture_is_made_as_small_as_it_has_to_be(tmp_path, form, max_bytes):
    image = fit(
        attached(tmp_path, encode(noise(100, 100), form, quality=100)), ImageLimits(SMALL.mimes, 100, max_bytes)
    )
    assert len(image.data) <= max_bytes
    decode(image)


def test_a_transparent_png_stays_transparent(tmp_path):
    picture = plain("RGBA", (300, 200), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 150, 200))
    sent = decode(fit(attached(tmp_path, encode(picture)), SMALL)).convert("RGBA")
    assert sent.getpixel((5, 5)) == (255, 0, 0, 255)
    assert sent.getpixel((95, 5))[3] == 0


def test_a_transparent_png_of_too_many_bytes_lies_on_white(tmp_path):
    picture = noise(100, 100, "RGBA")
    picture.paste((0, 0, 0, 0), (50, 0, 100, 100))
    image = fit(attached(tmp_path, encode(picture)), ImageLimits(SMALL.mimes, 100, 12_000))
    assert image.mime == "image/jpeg"
    assert min(decode(image).getpixel((75, 50))) > 240


def test_a_transparent_palette_stays_transparent(tmp_path):
    picture = Pillow.new("P", (300, 200), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.paste(0, (150, 0, 300, 200))
    sent = decode(fit(attached(tmp_path, encode(picture, transparency=0)), SMALL)).convert("RGBA")
    assert sent.getpixel((5, 5)) == (255, 0, 0, 255)
    assert sent.getpixel((95, 5))[3] == 0


def test_a_jpeg_for_print_keeps_its_colours(tmp_path):
    image = fit(attached(tmp_path, encode(plain("CMYK", (300, 200), (0, 255, 255, 0)), "JPEG")), SMALL)
    red, green, blue = decode(image).convert("RGB").getpixel((5, 5))
    assert red > 200
    assert max(green, blue) < 60


def test_a_png_of_16_bits_keeps_its_greys(tmp_path):
    """Measurements are often saved so; cut off at 255 of 65535 they would be white all over."""
    ramp = Pillow.new("I;16", (300, 200))
    ramp.putdata([x * 65535 // 299 for _ in range(200) for x in range(300)])
    sent = decode(fit(attached(tmp_path, encode(ramp)), SMALL)).convert("L")
    greys = [sent.getpixel((x, 30)) for x in (2, 50, 97)]
    assert greys[0] < 20
    assert 110 < greys[1] < 146
    assert greys[2] > 235


@pytest.mark.parametrize("size", [(60, 40), (300, 200)])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "LAB", "F"])
def test_a_picture_of_any_mode_is_sent(tmp_path, mode, size):
    form = {"CMYK": "JPEG", "YCbCr": "JPEG", "LAB": "TIFF", "F": "TIFF"}.get(mode, "PNG")
    image = fit(attached(tmp_path, encode(Pillow.new(mode, size), form)), SMALL)
    assert decode(image).size == (image.width, image.height)
    assert image.mime in SMALL.mimes
    assert re.fullmatch(r"image/(png|jpeg)", image.mime)
