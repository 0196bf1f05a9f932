"""A long reply in several outputs: together they are the whole, wherever it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readmes import load
from snippets import SNIPPETS

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME, records_of_outputs
from xcyq_magic.display.bundle import turn_bundles
from xcyq_magic.display.gfm.document import Document
from xcyq_magic.display.markup import to_html, to_html_sections
from xcyq_magic.display.sections import FIRST_CHARS, Sections, is_long_enough, sources
from xcyq_magic.display.streaming import StreamingMarkdown
from xcyq_magic.display.style import inlined
from xcyq_magic.gateway.sandbox.answers import sample
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.turn import Outcome

README = load()
# What a later definition could still change is no matter here.
CLOSED = sorted(name for name, text in README.items() if "]:" not in text and "[^" not in text)
LINES = st.lists(st.integers(0, 400), max_size=6).map(sorted)


@pytest.mark.parametrize("name", [*SNIPPETS, *README])
def test_the_sections_of_a_document_are_all_of_it(name):
    text = SNIPPETS.get(name) or README[name]
    html = to_html(text)
    blocks = [block.start - 1 for block in Document(text).blocks][1:]
    for lines in (blocks, range(3, 400, 7)):
        assert "".join(to_html_sections(text, lines)) == html
        assert "".join(sources(text, lines)) == text


@given(st.text(alphabet="a\r\n# -"), LINES)
def test_no_end_of_a_line_is_lost(text, lines):
    assert "".join(sources(text, lines)) == text
    assert len(sources(text, lines)) == len(lines) + 1


CONTRIBUTORS = "".join(
    f'  <tr>\n    <td align="center"><a href="https://a.example/{n}"><sub><b>Name</b></sub></a></td>\n  </tr>\n'
    for n in range(80)
)
# One block that is long or repeats itself: its lines mean something else where they are read without those above.
LONG = {
    "HTML, indented": f"<table>\n{CONTRIBUTORS}</table>\n",
    "equal HTML": "<table>\n" + '    <tr><td align="center">the same</td></tr>\n' * 200 + "</table>\n",
    "equal HTML without indents": "<table>\n" + "<tr>\n<td>the same</td>\n</tr>\n" * 300 + "</table>\n",
    "equal rows": "| a | b |\n|---|---|\n" + "| the same | 0 |\n" * 400,
    "equal items": "- the same\n" * 600,
    "equal items apart": "- the same\n\n" * 500,
    "equal nested items": "- the same\n  - below\n" * 400,
    "equal numbered items": "1. the same\n" * 600,
    "equal paragraphs": "The same again.\n\n" * 400,
    "equal quotations": "> the same\n>\n" * 400,
    "equal code": "```\nx += 1\n```\n\n" * 300,
    "equal lines of code": "```\n" + "    x += 1\n" * 700 + "```\n",
    "equal badges": "[![build](https://a.example/b.svg)](https://a.example) " * 120 + "\n",
    "badges on lines": "[![build](https://a.example/b.svg)](https://a.example)\n" * 120,
    "equal links": "see [this](https://a.example) and " * 200 + "\n",
    "numbers in a paragraph": "The years were\n" + "1984. a year\n" * 500,
    "definitions in a paragraph": "Written so:\n" + "[a] : https://a.example\n" * 300,
    "code in a paragraph": "Written so:\n" + "    x += 1\n" * 700,
    "a heading in the end": "the same\n" * 700 + "===\n",
    "a paragraph in an item": "- begins\n" + "  and so on\n" * 600 + "- ends\n\n  it\n",
    "a paragraph in a quotation": "> begins\n" + "and so on\n" * 600 + "> ends\n",
    "details": "<details>\n\n" + "and so on\n\n" * 600 + "</details>\n",
    "code in an item": "- ```\n" + "  x += 1\n" * 700 + "  ```\n- b\n",
    "math": "$$\n" + "a + b\n\n" * 300 + "$$\n",
    "no end of lines": "\n" * 3_000,
}


def check_what_is_finished(text, size):
    streaming, lines, sections = StreamingMarkdown(), [0], []
    for at in range(0, len(text), size):
        streaming.feed(text[at : at + size])
        if (line := streaming.finished_lines) is not None and line > lines[-1]:
            sections.append(streaming.between(lines[-1], line))
            lines.append(line)
    html, markdown = to_html_sections(text, lines[1:]), sources(text, lines[1:])
    assert sections == list(zip(html, markdown, strict=True))[:-1]
    return markdown[-1]


@pytest.mark.parametrize("name", CLOSED)
def test_what_is_finished_is_what_it_will_be(name):
    check_what_is_finished(README[name], (111, 400, 1_500)[CLOSED.index(name) % 3])


@pytest.mark.parametrize("size", [50, 111, 400])
def test_so_it_is_where_a_table_in_html_is_cut(size):
    check_what_is_finished(README["pyproj"], size)


@pytest.mark.parametrize("name", LONG)
def test_so_it_is_where_a_block_repeats_itself(name):
    for size in (50, 111, 400):
        rest = check_what_is_finished("# Before\n\n" + LONG[name] + "\n# After\n\n" + "The end.\n\n" * 90, size)
        assert len(rest) < 900  # sections went on behind it


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
    frame = re.compile(r'aria-live="polite">(.*?)</div>(?:<div class="xcyq-quiet"[^<]*</div>)?</div>$', re.DOTALL)
    body = [frame.findall(b["text/html"])[0] for b in bundles]
    assert "".join(body) == inlined(to_html(text))
    assert ("You stopped the reply here" in bundles[-1]["text/html"]) == (partial == "stopped")
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
