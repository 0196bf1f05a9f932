"""`--dry-run`, what old media cost, and media that a gateway drops."""

from __future__ import annotations

import base64
import json
import re

import pytest
from pictures import part_of

from xcyq_magic.display.bundle import request_bundle

PICTURES = "import PIL.Image\nred, blue = (PIL.Image.new('RGB', (900, 600), c) for c in ('red', 'blue'))"


@pytest.fixture
def previewed(shell, capsys):
    """Run a dry run; returns what the terminal shows."""

    def preview(cell: str) -> str:
        capsys.readouterr()
        shell.run_cell(cell).raise_error()
        return capsys.readouterr().out

    return preview


def test_nothing_is_sent_and_no_history_is_written(previewed, run, shell, sandbox):
    shell.run_cell(PICTURES)
    run("%chat -s 'Be brief.' What is {{ red }}?")
    shown = previewed("%%chat --dry-run -m gpt-5.5 -t 0.2 -p top_k=5 -a blue\nAnd this?")
    assert len(sandbox.received) == 1
    assert "Dry run: nothing was sent · gpt-5.5 · 3 messages · 2 pictures · " in shown
    assert f"to {sandbox.base_url}/v1/chat/completions" in shown
    assert "user:\nWhat is \n[red · 900×600, " in shown
    assert "[blue · 900×600, " in shown
    assert 'Parameters: temperature = 0.2, top_k = 5, stream = true, stream_options = {"include_usage": true}' in shown
    assert "Conversation: main, 1 turn" in previewed("%chat")
    assert shell.user_ns.get("_reply") is not None  # the one of before


def test_it_shows_what_is_sent(shell, run, sandbox):
    """The JSON in its output, the media's bytes aside, is the body that the server gets."""
    from xcyq_magic.magics.context import Context

    shell.run_cell(PICTURES)
    session = Context.of(shell).session
    from xcyq_magic.chat.messages import Message

    prompt = Message.of("user", "Compare <b>these</b>", part_of(shell.user_ns["red"]), part_of(shell.user_ns["blue"]))
    preview = session.preview(prompt)
    session.ask(prompt)
    received = sandbox.received[-1].body
    assert json.loads(json.dumps(preview.body, default=str)) == received
    bundle = request_bundle(preview)
    html = bundle["text/html"]
    assert preview.n_bytes == len(json.dumps(received, ensure_ascii=False).encode())
    assert f"{preview.n_bytes:,} bytes" in html
    assert "Compare &lt;b&gt;these&lt;/b&gt;" in html
    pictures = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    assert [base64.b64decode(p)[8:12] for p in pictures] == [b"WEBP", b"WEBP"]
    assert len(html) < 20_000  # small pictures, shortened JSON


def test_what_a_model_is_known_not_to_take_is_not_in_it(previewed, run):
    run("%%chat -m gpt-5.5 -t 0.2 --once\nsandbox: unsupported temperature\nHello")
    shown = previewed("%%chat -m gpt-5.5 -t 0.2 --once --dry-run\nHello")
    assert "temperature" not in shown.split("Parameters:")[1]
    assert "gpt-5.5 does not take temperature like this: it was left out." in shown


def test_old_media_become_a_line_of_text(run, shell, sandbox, capsys):
    shell.run_cell(PICTURES)
    run("%chat One: {{ red }}")
    run("%chat Two: {{ blue }}")
    shell.run_cell("%config ChatSettings.keep_media = 1")
    capsys.readouterr()
    run("%chat Three")
    first, second, third = sandbox.received[-1].body["messages"][::2]
    assert first["content"] == "One: \n[a picture that was shown here before: red]"
    assert [p["type"] for p in second["content"]] == ["text", "image_url"]
    assert third["content"] == "Three"
    assert (
        "1 earlier picture or video is sent as a line of text (ChatSettings.keep_media = 1)." in capsys.readouterr().out
    )
    shell.run_cell("%config ChatSettings.keep_media = 0")
    run("%chat Four {{ red }}")
    contents = [m["content"] for m in sandbox.received[-1].body["messages"][::2]]
    assert [type(c) for c in contents] == [str, str, str, list]  # what is asked now is sent
    shell.run_cell("%config ChatSettings.keep_media = None")
    run("%chat Five")
    contents = [m["content"] for m in sandbox.received[-1].body["messages"][::2]]
    assert [type(c) for c in contents] == [list, list, str, list, str]


def test_media_that_the_gateway_drops_are_missed(run, shell, capsys):
    shell.run_cell(PICTURES)
    run("%chat --once Look: {{ red }}")
    assert "the gateway seems to have left it out" not in capsys.readouterr().out
    run("%%chat --once -a red\nsandbox: drop-media\nLook")
    said = capsys.readouterr().out
    assert "the attachments take at least 200: it seems to have dropped them." in said
