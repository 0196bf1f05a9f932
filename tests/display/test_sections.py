"""A long reply in several outputs: together they are the whole, wherever it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readmes import load
from snippets import SNIPPETS

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.settled import SECTION_MIME, TURN_MIME, records_of_outputs
from xcyq_magic.display.bundle import turn_bundles
from xcyq_magic.display.gfm.document import Document
from xcyq_magic.display.markup import to_html, to_html_sections
from xcyq_magic.display.sections import FIRST_CHARS, Sections, is_long_enough, sources
from xcyq_magic.display.streaming import StreamingMarkdown
from xcyq_magic.gateway.sandbox.answers import sample
from xcyq_magic.live import LiveReply
from xcyq_magic.turn import Outcome

README = load()
# What a later definition could still change is no matter here.
CLOSED = sorted(name for name, text in README.items() if "]:" not in text and "[^" not in text)
LINES = st.lists(st.integers(0, 400), max_size=6).map(sorted)


@pytest.mark.parametrize("name", [*SNIPPETS, *sorted(README)[::5]])
def test_the_sections_of_a_document_are_all_of_it(name):
    text = SNIPPETS.get(name) or README[name]
    lines = [block.start - 1 for block in Document(text).blocks][1:]
    assert "".join(to_html_sections(text, lines)) == to_html(text)
    assert "".join(sources(text, lines)) == text


@settings(max_examples=25)
@given(st.sampled_from(sorted(README)), LINES)
def test_so_they_are_wherever_it_is_cut(name, lines):
    assert "".join(to_html_sections(README[name], lines)) == to_html(README[name])
    assert "".join(sources(README[name], lines)) == README[name]


@given(st.text(alphabet="a\r\n# -"), LINES)
def test_no_end_of_a_line_is_lost(text, lines):
    assert "".join(sources(text, lines)) == text
    assert len(sources(text, lines)) == len(lines) + 1


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(CLOSED), st.integers(50, 3_000))
def test_what_is_finished_is_what_it_will_be(name, size):
    text = README[name]
    streaming, lines = StreamingMarkdown(), [0]
    for at in range(0, len(text), size):
        streaming.feed(text[at : at + size])
        if (line := streaming.finished_lines) is not None and line > lines[-1]:
            html, markdown = streaming.between(lines[-1], line)
            assert markdown == sources(text, [lines[-1], line])[1]
            assert html == to_html_sections(text, [lines[-1], line])[1]
            lines.append(line)


def test_a_reply_of_a_megabyte_has_fewer_outputs_than_jupyterlab_shows():
    before = outputs = 0
    while before < 1_000_000:
        section = next(n for n in range(0, 1_000_000, 500) if is_long_enough(n, before))
        before, outputs = before + section, outputs + 1
    assert 20 < outputs < 50
    assert not is_long_enough(FIRST_CHARS - 1, 0)


def outcome_of(text: str, partial=None) -> Outcome:
    reply = LiveReply("gpt-5.5")
    reply.refuse(ValueError())  # an end, whatever it is
    turn = Turn(Message.of("user", "Go on."), Completion(text, "gpt-5.5", "gpt-5.5", partial=partial))
    return Outcome(reply, turn, Conversation(turns=(turn,)), None)


@pytest.mark.parametrize("partial", [None, "stopped"])
def test_the_outputs_of_a_reply_make_its_record_and_hold_its_text_once(partial):
    text = sample(5_000)
    lines = [n for n, line in enumerate(text.split("\n")) if line.startswith("## ")][1:4]
    bundles = turn_bundles(outcome_of(text, partial), "", Sections(tuple(lines)))
    assert [set(b) - {"text/html", "text/plain"} for b in bundles] == [{TURN_MIME}, *[{SECTION_MIME}] * 3]
    assert ("text" in bundles[0][TURN_MIME]["completion"]) == bool(partial)  # the caption is in the plain text, too
    other = {"text/plain": "printed meanwhile"}
    record = next(records_of_outputs([bundles[0], other, *reversed(bundles[1:])]))
    assert record["completion"]["text"] == text
    body = [re.findall(r'aria-live="polite">(.*)</div></div>$', b["text/html"], re.DOTALL)[0] for b in bundles]
    assert "".join(body) == to_html(text)
    assert [b["text/html"].count("<style>") for b in bundles] == [1, 0, 0, 0]


def test_what_was_rendered_is_not_rendered_again_unless_there_are_definitions():
    text = sample(5_000)
    lines = tuple(n for n, line in enumerate(text.split("\n")) if line.startswith("## "))[1:4]
    whole = turn_bundles(outcome_of(text), "", Sections(lines))
    html = tuple(to_html_sections(text, lines))
    for done in (1, 2, 3):
        again = turn_bundles(outcome_of(text), "", Sections(lines, html=html[:done]))
        assert [b["text/html"] for b in again] == [b["text/html"] for b in whole]
    marked = turn_bundles(outcome_of(text), "", Sections(lines, html=("rendered",)))
    assert "rendered" in marked[0]["text/html"]
    text += "\n[late]: https://example.org\n"
    assert "rendered" not in turn_bundles(outcome_of(text), "", Sections(lines, html=("rendered",)))[0]["text/html"]


def test_a_reply_with_a_section_missing_is_not_taken_for_whole():
    bundles = turn_bundles(outcome_of(sample(3_000)), "", Sections((10, 20)))
    assert "text" not in next(records_of_outputs(bundles[:2]))["completion"]
    others = turn_bundles(outcome_of(sample(3_000)), "", Sections((10, 20)))
    assert "text" not in next(records_of_outputs([*bundles[:2], others[2]]))["completion"]
