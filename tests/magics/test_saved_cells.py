"""The cells of a notebook that `%chat_save` writes: they ask the same again, and what a file gave is text in them."""

from __future__ import annotations

import ast
import io
import json
import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from values import parameter_sets

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import Conversation, Parameters, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Video
from xcyq_magic.magics.arguments import parse_line
from xcyq_magic.magics.context import Context
from xcyq_magic.magics.prompt import options_of
from xcyq_magic.store.formats import ipynb, openai_json


def picture(colour: str = "red", name: str = "") -> Image:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 6), colour).save(buffer, "PNG")
    return Image(buffer.getvalue(), "image/png", 8, 6, name)


def turn_of(*parts, model: str = "gpt-5.5", system: str | None = None, **parameters) -> Turn:
    prompt = Message.of("user", *(parts or ("Why?",)))
    return Turn(prompt, Completion("Because.", model, model), system, Parameters(**parameters))


def cells_of(conversation: Conversation) -> list[str]:
    written = json.loads(ipynb.dumps(conversation, lambda turn: {"text/plain": turn.completion.text}))
    return [cell["source"] for cell in written["cells"]]


def read_cell(shell, source: str):
    """The options and the prompt of a `%%chat` cell, as IPython and the magic read it."""
    (statement,) = ast.parse(shell.input_transformer_manager.transform_cell(source)).body
    magic, line, body = (ast.literal_eval(a) for a in statement.value.args)
    assert magic == "chat"
    options, text = parse_line(shell.magics_manager.magics["cell"]["chat"], line)
    assert text == ""
    return options, body


# The same again

STOPS = ["\\", "\\n", "\n", "\r\n", "\u2028", "\x85", "\x0c", '"', "'", "'\"", '\\"', "\\'", " ", "", "\t", "---", "-x"]
STOPS += ["--", "-", "-f", "-1", "--stop", "a b", "$x", "{x}", "{{ x }}", "#", "%%chat", "!ls", "x?", "\x00", "\ud800"]
STOPS += ["=", "a=b", '"""', "\\\\", "'\\'", "\xa0", "\u3000", "\x7f", '{"a": 1}', "None", "\U0001f600"]
odd = st.sampled_from(STOPS) | st.text(max_size=8) | st.text("\\'\" -\n=a{}", max_size=6)


@settings(max_examples=300)
@given(parameter_sets, st.lists(odd, max_size=3), st.dictionaries(odd, odd, max_size=2), odd)
@example(Parameters(), ["--"], {}, "--")
def test_the_options_of_a_saved_cell_are_the_parameters_again(shell_once, parameters, stop, extra, model):
    extra = {**parameters.extra, **{n: v for n, v in extra.items() if n not in Parameters(1, 1, 1, ("",)).to_dict()}}
    most = min(parameters.max_tokens or 1, 10**6)  # one that no option takes is none that was asked with
    parameters = replace(parameters, stop=tuple(stop), extra=extra, max_tokens=most)
    turn = turn_of("Why?", model=model)
    turn = replace(turn, parameters=parameters)
    options, _ = read_cell(shell_once, cells_of(Conversation(turns=(turn,)))[-1])
    again = options_of(options, Context.of(shell_once))
    assert again.parameters == parameters
    shown = "".join(c if c.isprintable() else " " for c in model)
    assert again.model == ("-- " if model == "--" else shown or None)


@pytest.fixture(scope="module")
def shell_once():
    """One shell for all examples, which nothing is sent from."""
    from shells import shell_of

    from xcyq_magic import load_ipython_extension, unload_ipython_extension

    with shell_of() as shell:
        load_ipython_extension(shell)
        yield shell
        unload_ipython_extension(shell)


@pytest.mark.parametrize("stop", [("\\",), ("\n", '"'), ('it\'s "so"',), ("---", "- a"), ("end", "\r", "'")])
def test_a_saved_notebook_asks_the_same_again(run, sandbox, tmp_path, stop):
    link = MediaLink("https://example.org/a'b\"c.png?x=1&y={z}")
    film = Video(bytes.fromhex("0000001066747970") + b"isom" + bytes(4), "video/mp4", "film.mp4")
    parts = (picture("blue", "open('x')"), film, link, "Look at {{ this }} and\n%this")
    said = Conversation(
        turns=(
            turn_of(
                *parts, model="gemini-2.5-pro", system=r"Say \{{ and {{ x }}.", stop=stop, extra={"seed": [1, "'"]}
            ),
            turn_of("{{ 1 / 0 }}", model="gemini-2.5-flash-lite", system="off"),
            turn_of("Well?", model="gemini-2.5-flash-lite", max_tokens=9, temperature=0.5),
        ),
        model="gemini-2.5-flash-lite",
    )
    path = tmp_path / "said.ipynb"
    path.write_text(ipynb.dumps(said, lambda turn: {"text/plain": turn.completion.text}), "utf-8")
    run(f"%chat_load {path}")
    run(f"%chat_save {tmp_path}/chat.ipynb")
    run("%chat_retry")
    first = sandbox.received[-1].body
    run("%chat_reset")
    for cell in json.loads((tmp_path / "chat.ipynb").read_text("utf-8"))["cells"]:
        run(cell["source"])
    *_, one, two, three = (r.body for r in sandbox.received)
    assert one["stop"] == list(stop)
    assert one["seed"] == [1, "'"]
    assert one["messages"][0]["content"] == r"Say \{{ and {{ x }}."
    assert one["messages"][1] == next(m for m in first["messages"] if m["role"] == "user")
    assert two["messages"][0]["content"] == "off"
    assert two["messages"][-1]["content"] == "{{ 1 / 0 }}"
    assert (three["max_tokens"], three["temperature"]) == (9, 0.5)
    assert "system" not in {m["role"] for m in three["messages"]}


def test_media_that_are_neither_here_nor_in_the_store_are_said_to_be_gone(run, capsys):
    from xcyq_magic.errors import MediaError

    with pytest.raises(MediaError, match=r"sha256:.* is not kept here; nothing was sent") as raised:
        run(f"%%chat -a sha256:{'0' * 64}\nWhy?")
    assert "%chat_load" in raised.value.hint


# Only text


class Recorder:
    """Notes whatever is done with it."""

    def __init__(self, calls: list[str], name: str) -> None:
        self._note = lambda *_, **__: calls.append(name) or name

    def __getattr__(self, name: str):
        self._note()
        raise AttributeError(name)

    def __call__(self, *_, **__) -> str:
        return self._note()

    __repr__ = __str__ = __getitem__ = __add__ = __iter__ = __len__ = __format__ = __call__


CODE = [
    "boom()",
    "{{ boom() }}",
    "{{ boom }}",
    "{boom()}",
    "$boom",
    "boom[0]",
    "boom",
    "%boom",
    "%%boom",
    "!touch boomed",
    "!!touch boomed",
    "?boom",
    "boom?",
    "boom??",
    "%chat {{ boom() }}",
    "/boom x",
    ",boom x",
    ";boom x",
    "x = %boom",
    "x = !touch boomed",
    "-a boom()",
    "--system {{boom()}}",
    "-o boom",
    "get_ipython().run_line_magic('boom', '')",
    "# boom\nboom()",
    "`boom()`",
]
BETWEEN = ["\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\x0c", "\x0b", "\x1c", "\x00", "'", '"', "'''", '"""', "\\"]
BETWEEN += [
    "'\n",
    '"\n',
    "\\\n",
    " ",
    "\t",
    "\n\n%%chat\n",
    "```\n",
    "-->\n",
    "<!-- xcyq-0 end -->\n",
    "]",
    ")",
    "'\"'\n",
]
BETWEEN += [
    "off\n",
    "\n>>> ",
    "In [1]: ",
    "\n    ",
    "{{",
    "\\{{",
    "{{ '",
    "}}",
    "{{ 1 }}",
    "--raw ",
    "-- ",
    "#\n",
    ";",
    "\ud800",
]
hostile = st.lists(st.sampled_from(CODE + BETWEEN), min_size=1, max_size=4).map("".join)
maybe = st.just("plain") | hostile
turns = st.builds(
    Turn,
    prompt=st.builds(
        lambda name, text, kind: Message.of("user", *kind(name), text),
        hostile,
        hostile,
        st.sampled_from(
            [
                lambda name: [replace(picture(), name=name)],
                lambda name: [Video(b"film", "video/mp4", name)],
                lambda name: [MediaLink(f"https://example.org/{re.sub(r'[^!-~]', '', name)}", name=name)],
                lambda name: [],
            ]
        ),
    ),
    completion=st.builds(Completion, hostile, maybe, maybe, hostile, st.none() | hostile, id=hostile),
    system=st.none() | hostile,
    parameters=st.builds(
        Parameters,
        temperature=st.none() | st.just(1.0),
        stop=st.lists(hostile, max_size=2).map(tuple),
        extra=st.dictionaries(maybe, hostile | st.lists(hostile, max_size=2), max_size=2),
    ),
)
conversations = st.builds(
    Conversation, turns=st.lists(turns, min_size=1, max_size=2).map(tuple), model=maybe, system=maybe, name=maybe
)


def by_way_of(kind: str, conversation: Conversation) -> Conversation:
    """The conversation after a file of that kind."""
    if kind == ".json":
        return openai_json.loads(openai_json.dumps(conversation, conversation.system or "")).conversation
    written = ipynb.dumps(conversation, lambda turn: {"text/plain": turn.completion.text})
    return ipynb.loads(written, lambda _: {}).conversation


def test_whatever_was_loaded_running_the_saved_notebook_calls_nothing(shell, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XCYQ_API_KEY")  # what a cell would ask is complete before the key is looked for
    monkeypatch.setenv("XCYQ_BASE_URL", "https://gateway.invalid")
    calls: list[str] = []
    shell.user_ns.update({name: Recorder(calls, name) for name in ("boom", "boomed", "x", "touch")})
    for kind in ("line", "cell"):
        shell.register_magic_function(lambda *_: calls.append("magic"), kind, "boom")

    @settings(max_examples=150)
    @given(conversations, st.sampled_from([".json", ".ipynb"]))
    def check(conversation, kind):
        for source in cells_of(by_way_of(kind, conversation)):
            assert source.startswith(("%load_ext xcyq_magic", "%chat_model ", "%%chat ", "%%chat\n", "%%chat_system\n"))
            shell.run_cell(source, store_history=False)
            assert calls == [], source
        capsys.readouterr()
        assert list(tmp_path.iterdir()) == []

    check()
