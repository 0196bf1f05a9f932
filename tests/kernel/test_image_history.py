"""`-f`: the images that the user saw, in a real kernel, from each way to the page."""

from __future__ import annotations

import base64
import io

import PIL.Image
import pytest

PICTURE = "import PIL.Image, IPython.display as d\ndef picture(c): return PIL.Image.new('RGB', (40, 30), c)"


def sent(sandbox) -> list[PIL.Image.Image]:
    """The pictures of the last prompt, as the server received them."""
    parts = sandbox.received[-1].body["messages"][-1]["content"]
    urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    return [PIL.Image.open(io.BytesIO(base64.b64decode(u.partition(",")[2]))) for u in urls]


def colours(sandbox) -> list[tuple[int, ...]]:
    return [p.convert("RGB").getpixel((20, 15)) for p in sent(sandbox)]


RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


def test_the_image_that_was_seen_last_whichever_way_it_came(kernel, sandbox, tmp_path):
    def shown(code: str, line: str = "-f"):
        for cell in (code, f"%chat --once {line} Look"):
            ran = kernel.run(cell)
            assert ran.status == "ok", "\n".join(ran.error)
        return colours(sandbox)

    assert shown(PICTURE + "\npicture('red')") == [RED]  # a cell's result
    assert shown("d.display(picture('green'))") == [GREEN]
    assert shown("import io\nb = io.BytesIO(); picture('blue').save(b, 'PNG')\nd.Image(b.getvalue())") == [BLUE]
    assert shown("d.display({'image/png': b.getvalue()}, raw=True)") == [BLUE]  # as plotly's renderer shows one
    assert shown(f"path = {str(tmp_path / 'g.png')!r}\npicture('green').save(path); d.Image(path)") == [GREEN]
    # What is no image, is not seen, or fails, leaves it as it is.
    assert shown("1 + 1") == [GREEN]
    assert shown("%%capture\npicture('red')") == [GREEN]
    assert shown("d.display(d.Markdown('text')); d.HTML('<b>x</b>')") == [GREEN]
    # Several, in the order in which they came.
    assert shown("d.display(picture('red'), picture('blue'))", "-f 3") == [GREEN, RED, BLUE]
    # An update takes the place of what it updates, and is what was seen last.
    kernel.run("h = d.display(picture('green'), display_id=True)\nd.display(picture('red'))")
    assert shown("h.update(picture('blue'))", "-f 2") == [RED, BLUE]
    # The sandbox's own outputs have small pictures; they are not among them.
    assert shown("pass", "-f 2") == [RED, BLUE]


def test_a_closed_figure_is_sent_as_it_was_seen(kernel, sandbox):
    ran = kernel.run("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('seen');")
    shown = next(c["data"]["image/png"] for c in ran.of_type("display_data"))
    assert kernel.run("%chat -f What does it show?").status == "ok"
    (picture,) = sent(sandbox)
    assert picture.tobytes() == PIL.Image.open(io.BytesIO(base64.b64decode(shown))).tobytes()


def test_unloading_ends_it(kernel, sandbox):
    kernel.run(PICTURE + "\npicture('red')")
    assert kernel.run("%unload_ext xcyq_magic").status == "ok"
    kernel.run("picture('green')")
    assert kernel.run("%load_ext xcyq_magic").status == "ok"
    ran = kernel.run("%chat -f Look")
    assert ran.status == "error"
    assert "MediaError" in ran.error[0]
    assert kernel.value("'write_format_data' in vars(get_ipython().displayhook)") == "True"
    kernel.run("%unload_ext xcyq_magic")
    assert kernel.value("'write_format_data' in vars(get_ipython().displayhook)") == "False"


@pytest.mark.parametrize("mime", ["image/png", "image/svg+xml"])
def test_what_is_remembered_is_bounded(mime):
    from shells import shell_of

    from xcyq_magic.magics.image_history import MOST_BYTES, MOST_IMAGES, SeenImages

    with shell_of() as shell:
        seen = SeenImages(shell)
        for n in range(2 * MOST_IMAGES):
            seen.remember({mime: f"{n}"})
        assert [i.data for i in seen.last(2 * MOST_IMAGES)] == [f"{n}" for n in range(MOST_IMAGES, 2 * MOST_IMAGES)]
        for _ in range(5):
            seen.remember({mime: "x" * (MOST_BYTES // 3)})
        assert [len(i.data) for i in seen.last(9)] == [MOST_BYTES // 3] * 3
        seen.remember({mime: "x" * (MOST_BYTES + 1)})  # larger than all that may be kept
        assert len(seen.last(9)) == 3
