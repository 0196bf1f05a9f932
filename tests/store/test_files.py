"""Conversations in files: what is saved comes back exactly."""

from __future__ import annotations

import io
import json
import resource
import stat
from dataclasses import replace

import nbformat
import openai
import pytest
from files import ENDLESS, at_once, make_endless
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import KEY
from PIL import Image as Pillow
from values import completions, messages, parameter_sets, put_wrong_values, seconds

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import CellRun, Conversation, Parameters, Turn
from xcyq_magic.chat.given import replace_surrogates
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Text, Video
from xcyq_magic.chat.records import TURN_MIME, turn_record
from xcyq_magic.chat.rerun import EARLIER
from xcyq_magic.errors import ConversationFileError
from xcyq_magic.store.formats import ipynb, markdown, openai_json
from xcyq_magic.store.saving import load, save


def nothing(_hashes) -> dict:
    return {}


def bundle_of(turn: Turn) -> dict:
    return {"text/plain": turn.completion.text}


# Texts that look like what the formats write.
tricky = st.sampled_from(
    [
        "\n\n<!-- xcyq-0 end -->\n\n",
        "<!-- xcyq-0 text -->\n\nHi\n\n<!-- xcyq-0 end -->\n",
        '<!-- xcyq-1 turn {"a": 1} -->\n',
        "-->",
        "## 2. Prompt\n\n",
        "\r\n\u2028\x0c\x00",
        "```\n%%chat\n",
        "{{ x }}",
        "",
    ]
)
texts = tricky | st.text(max_size=40)
turns = st.builds(
    Turn,
    prompt=messages.map(lambda m: replace(m, role="user")) | st.builds(lambda t: Message.of("user", t), texts),
    completion=completions | st.builds(lambda t, r: Completion(t, "m", t, r), texts, texts),
    system=st.none() | texts,
    parameters=parameter_sets,
    asked_at=seconds,
)
conversations = st.builds(
    Conversation, turns=st.lists(turns, max_size=4).map(tuple), model=st.none() | texts, system=st.none() | texts
)


@given(conversations)
def test_markdown_holds_what_was_said_in_its_order(conversation):
    written, at = markdown.dumps(conversation, "").encode().decode(), 0
    for turn in conversation.turns:
        for said in (*(p.text for p in turn.prompt.parts if isinstance(p, Text)), turn.completion.text):
            at = written.index(said, at) + len(said)


@given(conversations.filter(lambda c: c.turns))
def test_a_notebook_comes_back_exactly_and_is_valid(conversation):
    written = ipynb.dumps(conversation, bundle_of)
    again = ipynb.loads(written, nothing)
    assert (
        replace(again.conversation, turns=tuple(replace(t, cell=None) for t in again.conversation.turns))
        == conversation
    )
    nbformat.validate(json.loads(written))


words = st.text(min_size=1, max_size=20).filter(str.strip)


@given(st.lists(st.tuples(words, words), max_size=5), st.text(max_size=20))
def test_messages_come_back_exactly(said, system):
    turns = [Turn(Message.of("user", p), Completion(r, "m", "m")) for p, r in said]
    written = openai_json.dumps(Conversation(turns=tuple(turns)), system)
    again = openai_json.loads(written)
    assert openai_json.dumps(again.conversation, again.conversation.system or "") == written
    assert [t.messages for t in again.conversation.turns] == [t.messages for t in turns]
    assert again.notices == ()


def pixel() -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


PIXEL = pixel()


PICTURE = Image(PIXEL, "image/png", 1, 1)
said_parts = st.lists(
    st.builds(Text, words)
    | st.just(PICTURE)
    | st.builds(Video, st.binary(min_size=1, max_size=9), st.sampled_from(["video/mp4", "video/x-flv"]))
    | st.builds(MediaLink, st.just("https://example.org/a.png?b=c"), kind=st.sampled_from(["image", "video"])),
    min_size=1,
    max_size=4,
)


@given(st.lists(st.tuples(said_parts, words), max_size=3))
def test_messages_with_media_come_back_exactly(said):
    turns = [Turn(Message("user", tuple(parts)), Completion(r, "m", "m")) for parts, r in said]
    written = openai_json.dumps(Conversation(turns=tuple(turns)))
    again = openai_json.loads(written).conversation
    assert openai_json.dumps(again) == written
    for turn, before in zip(again.turns, turns, strict=True):
        assert turn.prompt.media == before.prompt.media
        assert turn.prompt.text == before.prompt.text


def chat(*prompts: str) -> Conversation:
    image = Image(PIXEL, "image/png", 1, 1, "plot.png")
    turns = [Turn(Message.of("user", image, p), Completion(f"**{p}**", "gpt-5.5", "gpt-5.5")) for p in prompts]
    return Conversation(turns=tuple(turns), model="gpt-5.5", system="Be brief.")


@pytest.mark.parametrize("suffix", [".json", ".ipynb", ".IPYNB"])
def test_each_kind_of_file_is_written_and_read(tmp_path, suffix):
    path = tmp_path / f"chat{suffix}"
    path.write_text("what was there before")
    save(path, chat("one", "two"), "Be brief.", bundle_of, force=True)
    again = load(path, nothing, "main").conversation
    assert [t.messages[1] for t in again.turns] == [t.messages[1] for t in chat("one", "two").turns]
    assert [t.prompt.images[0].data for t in again.turns] == [PIXEL] * 2
    assert [t.prompt.images[0].width for t in again.turns] == [1, 1]
    assert again.system == "Be brief."
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_reference_client_takes_the_messages_as_they_are(tmp_path, sandbox):
    path = tmp_path / "chat.json"
    save(path, chat("one", "two"), "Be brief.", bundle_of)
    said = json.loads(path.read_text("utf-8"))
    with openai.OpenAI(base_url=f"{sandbox.base_url}/v1", api_key=KEY, max_retries=0) as client:
        answer = client.chat.completions.create(
            model="gpt-5.5", messages=[*said, {"role": "user", "content": "And now?"}]
        )
    assert answer.choices[0].finish_reason == "stop"
    received = sandbox.received[-1].body["messages"]
    assert [m["role"] for m in received] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert received[:-1] == said


def test_markdown_is_for_readers():
    text = markdown.dumps(chat("What is odd?"), "Be brief.")
    mark, *lines = [line.partition("(")[0] for line in text.splitlines() if line]
    assert mark.startswith("<!-- Written by %chat_save")  # which no reader sees
    assert lines == [
        "## System prompt",
        "Be brief.",
        "## 1. Prompt",
        "![plot.png]",
        "What is odd?",
        "## 1. gpt-5.5",
        "**What is odd?**",
    ]
    assert "![plot.png](<data:image/png;base64," in text


@pytest.mark.parametrize("extra", [{"parameters": 5}, {"parameters": {"a": 1}}, {"seed": {"parameters": [1]}}])
def test_a_field_of_any_name_comes_back(extra):
    said = Conversation(turns=(replace(chat("one").turns[0], parameters=Parameters(extra=extra)),))
    read = ipynb.loads(ipynb.dumps(said, bundle_of), nothing)
    assert read.conversation.turns[0].parameters.extra == extra
    assert read.notices == ()


def test_a_notebook_has_cells_that_run():
    turn = chat("Why?").turns[0]
    turn = replace(turn, parameters=replace(turn.parameters, temperature=0.5, stop=("the end",), extra={"seed": [1]}))
    written = json.loads(ipynb.dumps(Conversation(turns=(turn,), model="gpt-5.4"), bundle_of))
    assert [c["source"] for c in written["cells"]] == [
        "%load_ext xcyq_magic",
        "%chat_model gpt-5.4",
        f'%%chat -m gpt-5.5 -t 0.5 --stop "the end" -p seed=[1] -a sha256:{turn.prompt.media[0].sha256}\nWhy?',
    ]


def test_media_that_a_notebook_only_names_come_from_the_store_or_are_said_to_be_gone():
    turn = chat("one").turns[0]
    record = {"version": 1, **turn.to_dict()}
    cell = {"cell_type": "code", "id": "A", "outputs": [{"output_type": "display_data", "data": {TURN_MIME: record}}]}
    text = json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})
    found = ipynb.loads(text, lambda hashes: dict.fromkeys(hashes, PIXEL))
    assert found.conversation.turns[0].prompt == turn.prompt
    assert found.conversation.turns[0].cell.cell_id == "A"
    gone = ipynb.loads(text, nothing)
    assert "1 picture or video is neither in the file nor in the store" in gone.notices[0]
    assert "plot.png, which is not kept any more" in gone.conversation.turns[0].prompt.text


@pytest.mark.parametrize(("partial", "once"), [(None, True), ("stopped", False)])
def test_a_notebook_has_a_reply_once_unless_its_plain_text_says_more(partial, once):
    said = Conversation("main", (Turn(Message.of("user", "Hi"), Completion("one\ntwo\n", "m", "m", partial=partial)),))
    plain = "one\ntwo\n" if once else "one\ntwo\n\n[stopped]"
    text = ipynb.dumps(said, lambda _: {"text/plain": plain})
    data = json.loads(text)["cells"][-1]["outputs"][0]["data"]
    assert ("text" not in data[TURN_MIME]["completion"]) == once
    as_lines = nbformat.writes(nbformat.reads(text, 4))  # as a frontend saves it
    assert [t.completion for t in ipynb.loads(as_lines, nothing).conversation.turns] == [said.turns[0].completion]


def test_of_several_conversations_in_a_notebook_one_is_taken():
    turn = chat("one").turns[0]
    records = [{"version": 1, **turn.to_dict(), "conversation": name} for name in ("main", "idea", None)]
    cells = [{"outputs": [{"data": {TURN_MIME: r}}]} for r in records]
    text = json.dumps({"cells": [*cells, {"cell_type": "markdown", "source": ""}]})
    read = ipynb.loads(text, lambda hashes: dict.fromkeys(hashes, PIXEL), "idea")
    assert len(read.conversation.turns) == 1
    assert read.notices == ("2 turns of other conversations, or of none, were left out.",)
    one = json.dumps({"cells": cells[:2]})
    read = ipynb.loads(one, lambda hashes: dict.fromkeys(hashes, PIXEL), "idea")
    assert read.notices == ("1 turn of another conversation, or of none, was left out.",)


def page_of(outputs: dict[str, dict]) -> str:
    cells = [{"id": cell, "outputs": [{"data": {TURN_MIME: record}}]} for cell, record in outputs.items()]
    return json.dumps({"cells": cells})


@given(st.lists(st.sampled_from([*"ABCD", "retry"]), max_size=12))
def test_a_page_with_cells_run_again_and_turns_asked_again_makes_the_conversation(runs):
    """The conversation is the oracle: what each run made of it. The four cells stand on the page from the start."""
    conversation, outputs = Conversation(), dict[str, dict]()
    for at, run in enumerate([*"ABCD", *runs]):
        old = conversation.turns[-1] if run == "retry" else None
        cell = old.cell if old else CellRun(run, str(at))
        turn = Turn(Message.of("user", str(at)), Completion("r", "m", "m"), cell=cell, asked_at=float(at))
        conversation = conversation.with_instead(turn, old) if old else conversation.with_turn(turn)
        outputs[f"retry-{at}" if old else run] = turn_record(turn, "main", elsewhere=old is not None, instead_of=old)
    read = ipynb.loads(page_of(outputs), nothing).conversation
    assert read.turns == tuple(replace(t, cell=CellRun(t.cell.cell_id, EARLIER)) for t in conversation.turns)


def test_a_turn_asked_again_without_cell_ids_takes_the_place_of_the_first():
    one, two, again = (Turn(Message.of("user", p), Completion("r", "m", "m")) for p in ("one", "two", "again"))
    last = Turn(Message.of("user", "last"), Completion("r", "m", "m"))
    outputs = {
        "1": turn_record(one, "main"),
        "2": turn_record(two, "main"),
        "3": turn_record(again, "main", elsewhere=True, instead_of=two),
        "4": turn_record(last, "main"),
    }

    def prompts() -> list[str]:
        return [t.prompt.text for t in ipynb.loads(page_of(outputs), nothing).conversation.turns]

    assert prompts() == ["one", "again", "last"]
    del outputs["2"]  # its cell was deleted: it stands where it is shown
    assert prompts() == ["one", "again", "last"]


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_of_two_kept_answers_the_second_stands_whichever_cell_is_above(order):
    cell = CellRun("compare", "0")
    first, second = (Turn(Message.of("user", "p"), Completion(r, "m", "m"), cell=cell) for r in ("first", "second"))
    records = {
        "first": turn_record(first, "main", elsewhere=True),
        "second": turn_record(second, "main", elsewhere=True, instead_of=first),
    }
    (turn,) = ipynb.loads(page_of({name: records[name] for name in order}), nothing).conversation.turns
    assert (turn.completion.text, turn.cell) == ("second", CellRun("compare", EARLIER))


def test_messages_of_other_tools():
    said = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "text", "text": "here"}]},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "A."},
        {"role": "assistant", "content": "B."},
        {"role": "user", "content": "Unanswered"},
    ]
    read = openai_json.loads(json.dumps({"messages": said}))
    (turn,) = read.conversation.turns
    assert (read.conversation.system, turn.prompt.text, turn.completion.text) == (
        "Be brief.",
        "Look:\nhere\nWell?",
        "A.\n\nB.",
    )
    assert "2 of its messages" in read.notices[0]
    assert "Unanswered" in read.notices[1]


DEEP = "[" * 600 + "]" * 600  # which Python reads
REFUSED = [
    ("chat.txt", "", "not a kind of file"),
    ("chat.json", "{", "not valid JSON"),
    ("chat.json", "3", "no array"),
    ("chat.json", '[{"role": "tool", "content": "x"}]', "Message 1 has a role other than"),
    ("chat.json", '[{"role": "user", "content": null}]', "Message 1 holds something other"),
    ("chat.json", '[{"role": "user", "content": [{"type": "input_audio"}]}]', "Message 1 holds something other"),
    (
        "chat.json",
        '[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]',
        "a picture that cannot be read",
    ),
    ("chat.json", '[{"role": "assistant", "content": "x"}]', "begins with a reply"),
    ("chat.md", "# Notes", "not to be loaded"),
    ("chat.json", '[{"role": "user", "content": [{"type": "text", "text": 5}]}]', "Message 1 holds something other"),
    ("chat.json", DEEP, "not valid JSON"),
    ("chat.json", "[" * 10**6, "not valid JSON"),
    ("chat.json", f"[{'9' * 5000}]", "not valid JSON"),
    (
        "chat.json",
        '[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://a b"}}]}]',
        "other than",
    ),
    ("chat.ipynb", DEEP, "not a notebook"),
    ("chat.ipynb", "{}", "not a notebook"),
    ("chat.ipynb", '{"cells": []}', "No cell of it"),
    ("chat.ipynb", json.dumps({"cells": [{"outputs": [{"data": {TURN_MIME: {"version": 1}}}]}]}), "cannot be read"),
]


@pytest.mark.parametrize(("name", "content", "words"), REFUSED)
def test_what_is_no_conversation_is_refused_in_a_line_or_two(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(ConversationFileError, match=words) as raised:
        load(tmp_path / name, nothing, "main")
    assert len(raised.value._render_traceback_()) == 2


def test_what_cannot_be_written_or_read_says_so(tmp_path):
    with pytest.raises(ConversationFileError, match="does not exist, so nothing was saved"):
        save(tmp_path / "nowhere" / "chat.md", chat("one"), "", bundle_of)
    with pytest.raises(ConversationFileError, match="cannot be read"):
        load(tmp_path / "nowhere.json", nothing, "main")
    (tmp_path / "chat.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConversationFileError, match="UTF-8"):
        load(tmp_path / "chat.json", nothing, "main")


# Whatever JSON a file holds

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {
        "role": "user",
        "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": str(PICTURE.data_url)}}],
    },
    {"role": "assistant", "content": "b"},
    {"role": "user", "content": [{"type": "file", "file": {"filename": "f.mp4", "file_data": "http://a.org/f.mp4"}}]},
]


@settings(max_examples=200, derandomize=True)
@given(st.data())
def test_messages_of_any_json_are_read_or_refused(data):
    record = {"messages": json.loads(json.dumps(MESSAGES))}
    put_wrong_values(data.draw, record)
    try:
        read = openai_json.loads(json.dumps(record))
    except ConversationFileError:
        return
    openai_json.dumps(read.conversation)
    for turn in read.conversation.turns:
        assert Turn.from_dict(turn.to_dict(), {i.sha256: i.data for i in turn.prompt.images}) == turn


@settings(max_examples=200, derandomize=True)
@given(st.data())
def test_a_notebook_of_any_json_is_read_or_refused(data):
    turns = [Turn(Message.of("user", "a"), Completion("b", "m", "m"), parameters=Parameters(0.5))] * 2
    notebook_ = json.loads(ipynb.dumps(Conversation(turns=tuple(turns), model="m"), bundle_of))
    record = notebook_["cells"][-1]["outputs"][0]["data"][TURN_MIME]
    record |= {"sections": {"of": "x", "count": 1}, "in_place_of": {"turn": "x", "cell": "turn-1"}}
    put_wrong_values(data.draw, notebook_)
    try:
        read = ipynb.loads(json.dumps(notebook_), nothing)
    except ConversationFileError:
        return
    ipynb.dumps(read.conversation, bundle_of)


# What a file holds that was written before


def as_in_its_file(text: str) -> str:
    return replace_surrogates(text).encode().decode().replace("\r\n", "\n")


@given(conversations.filter(lambda c: c.turns), st.text())
def test_what_was_written_is_known_and_a_change_of_it_is_seen(conversation, change):
    for written, is_unchanged in [
        (markdown.dumps(conversation, "Be brief."), markdown.is_unchanged),
        (openai_json.dumps(conversation), openai_json.is_unchanged),
        (ipynb.dumps(conversation, bundle_of), ipynb.is_unchanged),
    ]:
        text = as_in_its_file(written)
        assert is_unchanged(text)
        changed = as_in_its_file(f"{text}\n{change}")
        assert not is_unchanged(changed) or (is_unchanged is ipynb.is_unchanged and not change.strip(" \t\r\n"))


@settings(max_examples=200, derandomize=True)
@given(st.data())
def test_a_notebook_of_any_json_is_known_or_not(data):
    turn = Turn(Message.of("user", "a"), Completion("b", "m", "m"), parameters=Parameters(0.5))
    notebook = json.loads(ipynb.dumps(Conversation(turns=(turn, turn), model="m"), bundle_of))
    put_wrong_values(data.draw, notebook)
    ipynb.is_unchanged(json.dumps(notebook))
    record = {"messages": json.loads(json.dumps(MESSAGES))}
    put_wrong_values(data.draw, record)
    openai_json.is_unchanged(json.dumps(record["messages"], indent=1) + "\n")


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_many_messages_of_one_role_are_joined_at_once(role):
    said = [{"role": "user", "content": "p"}, *[{"role": role, "content": "x" * 100}] * 50_000]
    with at_once():
        openai_json.loads(json.dumps(said))


SUFFIXES = [".json", ".ipynb"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_file_without_an_end_is_refused_unread(tmp_path, kind, suffix):
    make_endless(kind, tmp_path / f"chat{suffix}")
    with at_once(), pytest.raises(ConversationFileError, match=r"cannot be (read|loaded)") as raised:
        load(tmp_path / f"chat{suffix}", nothing, "main")
    assert len(raised.value._render_traceback_()) == 2


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
def test_what_is_no_file_is_not_replaced(tmp_path, kind):
    path = tmp_path / "chat.md"
    make_endless(kind, path)
    with at_once(), pytest.raises(ConversationFileError, match="is no regular file"):
        save(path, chat("one"), "", bundle_of)
    assert not path.is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["chat.md"]


@pytest.mark.parametrize("stem", ["a file/chat", "no folder/chat", "n" * 300, "null\0", "\ud800"])
def test_where_nothing_can_be_written_an_error_says_so(tmp_path, stem):
    name = f"{stem}.json"
    (tmp_path / "a file").write_text("mine")
    with pytest.raises(ConversationFileError, match=r"cannot be written|does not exist") as raised:
        save(tmp_path / name, chat("one"), "", bundle_of)
    assert len(raised.value._render_traceback_()) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["a file"]
    with pytest.raises(ConversationFileError, match="cannot be read"):
        load(tmp_path / name, nothing, "main")


def test_a_name_as_long_as_a_name_may_be_can_be_written(tmp_path):
    path = tmp_path / f"{'n' * 250}.json"
    save(path, chat("one"), "", bundle_of)
    assert len(load(path, nothing, "main").conversation.turns) == 1


def test_a_full_disk_leaves_what_was_there(tmp_path):
    path = tmp_path / "chat.md"
    save(path, chat("zero"), "", bundle_of)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ConversationFileError, match="cannot be written"):
            save(path, chat("one"), "", bundle_of)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["chat.md"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "chat.md"
    path.touch()
    path.chmod(mode)
    save(path, chat("one"), "", bundle_of)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "other").touch()
    save(tmp_path / "chat.md", chat("one"), "", bundle_of)
    assert (tmp_path / "chat.md").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("target", ["mine", "nowhere", "/dev/full"])
def test_no_link_is_followed_where_a_file_is_written(tmp_path, target):
    (tmp_path / "mine").write_text("mine")
    for name in ("chat.md", ".chat.md.part"):
        (tmp_path / name).symlink_to(tmp_path / target)
    save(tmp_path / "chat.md", chat("one"), "", bundle_of)
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "chat.md").is_file()
    assert not (tmp_path / "chat.md").is_symlink()
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / ".chat.md.part").readlink() == tmp_path / target
