"""Files that nobody made to be read: none of them ends the kernel, hangs it, or has a program run."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import signal
import threading
import time

import httpx
import psutil
import pytest
from kernels import KEY
from PIL import Image as Pillow
from servers import eventually

from xcyq_magic.chat.records import TURN_MIME
from xcyq_magic.errors import MediaError

SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{}</svg>"
MASKS = SVG.format(
    "".join(f"<mask id='m{i}'><rect width='9' height='9' mask='url(#m{i + 1})'/></mask>" for i in range(300))
    + "<rect width='9' height='9' mask='url(#m0)'/>"
)
OCTAVES = SVG.format(
    "<filter id='f'><feTurbulence baseFrequency='.1' numOctaves='2000000000'/></filter>"
    "<rect width='9' height='9' filter='url(#f)'/>"
)


def test_an_svg_that_crashes_what_draws_it_fails_its_cell_alone(run, sandbox, tmp_path):
    pytest.importorskip("resvg_py")
    path = tmp_path / "masks.svg"
    path.write_text(MASKS)
    with pytest.raises(MediaError, match="or crashes what draws it") as raised:
        run(f"%chat -a {path} hi")
    assert "Save it as PNG" in raised.value.hint
    assert sandbox.received == []
    run("%chat hi")


def test_an_interrupt_ends_what_draws_an_svg(shell, sandbox, tmp_path):
    pytest.importorskip("resvg_py")
    path = tmp_path / "octaves.svg"
    path.write_text(OCTAVES)
    children = psutil.Process().children

    def interrupt() -> None:
        assert eventually(children)
        time.sleep(0.2)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    result = shell.run_cell(f"%chat -a {path} hi")
    thread.join()
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    assert time.monotonic() - began < 8
    # Killed; the next process that is started reaps it.
    assert eventually(lambda: {c.status() for c in children()} <= {psutil.STATUS_ZOMBIE})
    assert sandbox.received == []


# Pillow opens Encapsulated PostScript by running Ghostscript.

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n%%EOF\n"


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Whether Ghostscript was run."""
    for name in ("gs", "gswin64c", "gswin32c"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch '{tmp_path / 'ran'}'\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # Pillow remembers that there was none
    with pytest.raises(Exception, match="returned non-zero exit status 1"):
        Pillow.open(io.BytesIO(EPS)).load()
    (tmp_path / "ran").unlink()
    return (tmp_path / "ran").exists


KINDS = {"EPS": EPS, "without a version": EPS.replace(b"-3.0 EPSF-3.0", b""), "DOS EPS": b"\xc5\xd0\xd3\xc6" + EPS}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_no_file_has_ghostscript_run(run, sandbox, ran, tmp_path, data):
    for name in ("x.png", "x.eps"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MediaError, match=r"is a PostScript file.*; nothing was sent") as raised:
            run(f"%chat -a {tmp_path / name} hi")
        assert raised.value.hint
    assert not ran()
    assert sandbox.received == []


def test_no_picture_of_a_notebook_that_is_loaded_has_ghostscript_run(run, ran, tmp_path):
    digest = hashlib.sha256(EPS).hexdigest()
    picture = {"type": "image", "sha256": digest, "mime": "image/png", "width": 10, "height": 10, "name": "x.png"}
    turn = {
        "version": 1,
        "id": "t",
        "conversation": "main",
        "prompt": {"role": "user", "parts": [picture, {"type": "text", "text": "hi"}]},
        "completion": {"text": "ok", "requested_model": "gpt-5.5", "model": "gpt-5.5"},
        "system": None,
        "parameters": {},
        "asked_at": 1,
        "media": {digest: base64.b64encode(EPS).decode()},
    }
    output = {"output_type": "display_data", "metadata": {}, "data": {TURN_MIME: turn}}
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "source": "", "execution_count": 1, "outputs": [output]}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "x.ipynb").write_text(json.dumps(notebook))
    run(f"%chat_load {tmp_path / 'x.ipynb'}")
    for line in ("%chat hi", "%chat --dry-run hi", "%chat_retry"):
        with pytest.raises(MediaError, match=r"x\.png is not a picture that can be read"):
            run(line)
    run("%chat_history 1")
    run(f"%chat_save {tmp_path / 'y.ipynb'}")
    assert not ran()


def test_the_sandbox_runs_nothing_for_a_picture(sandbox, ran):
    url = f"data:image/png;base64,{base64.b64encode(EPS).decode()}"
    prompt = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    answer = httpx.post(
        f"{sandbox.base_url}/v1/chat/completions",
        headers={"Authorization": f"Bearer {KEY}"},
        json={"model": "gpt-5.5", "messages": [prompt]},
    )
    assert (answer.status_code, "Could not process image" in answer.text) == (400, True)
    assert not ran()


def test_a_picture_of_the_users_that_cannot_be_read_says_so_in_a_line(run, ran, shell):
    shell.push({"eps": Pillow.open(io.BytesIO(EPS))})  # opened by the user: that Pillow runs Ghostscript is their wish
    with pytest.raises(MediaError, match="eps is damaged"):
        run("%chat {{ eps }}")


def saved(mode: str, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (8, 8)).save(buffer, form, **options)
    return buffer.getvalue()


def damaged() -> dict[str, bytes]:
    """Files at which Pillow raises what is neither an OSError nor a ValueError."""
    gif = saved("L", "GIF", save_all=True, append_images=[Pillow.new("L", (8, 8), 255)])
    second = gif.index(b"!", 30)
    width = b"\0\1\4\0\1\0\0\0"  # one long
    return {
        "RuntimeError": saved("RGB", "AVIF").replace(b"pitm\0\0\0\0\0\1", b"pitm\0\0\0\0\0\0"),
        "IndexError": gif[: second + 4],
        "struct.error": gif[: gif.index(b",", second) + 8],
        "TypeError": saved("L", "TIFF").replace(width, b"\0\1\4\0\xff\0\0\0"),
    }


@pytest.mark.parametrize("data", damaged().values(), ids=damaged())
def test_a_damaged_picture_is_told_whatever_pillow_raises(run, sandbox, tmp_path, data):
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(MediaError, match="nothing was sent"):
        run(f"%chat -a {tmp_path / 'x.png'} hi")
    assert sandbox.received == []
