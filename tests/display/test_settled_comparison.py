"""A settled comparison: whole, safe, readable without its style; and what differs between replies."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import hostile
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xcyq_magic.chat.comparison import Column, Comparison, Verdict
from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.messages import Message
from xcyq_magic.display.difference import as_read, by_words, difference_html, difference_plain, said_by_one
from xcyq_magic.display.markup import to_html
from xcyq_magic.display.metrics import metrics_table
from xcyq_magic.display.settled_comparison import comparison_bundle, shared_notices
from xcyq_magic.display.style import inlined
from xcyq_magic.errors import ServerError

TABLE = "Look:\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe *end*, for $5."


def column(name: str, text: str = TABLE, *, first: float = 0.5, total: float = 2.0, out: int = 30, **more) -> Column:
    completion = Completion(
        text,
        name,
        more.pop("answered_by", name),
        more.pop("reasoning", ""),
        more.pop("finish_reason", "stop"),
        Usage(10, out, 10 + out),
        first,
        total,
        more.pop("partial", None),
    )
    return Column(name, name, completion, duration_s=total, **more)


def comparison(*columns: Column, **more) -> Comparison:
    return Comparison(Message.of("user", "Hello"), columns, **more)


class _Skeleton(HTMLParser):
    """The tags of ours with their attributes, without what is within replies, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple] = []
        self.text = ""
        self._within = 0

    def handle_starttag(self, tag, attrs) -> None:
        if not self._within and (tag, attrs) != ("span", []):  # around a delimiter of math, which is none
            self.tags.append((tag, *sorted(attrs)))
        if self._within or "xcyq-reply" in (dict(attrs).get("class") or ""):
            self._within += tag == "div"

    def handle_endtag(self, tag) -> None:
        self._within -= bool(self._within) and tag == "div"

    def handle_data(self, text) -> None:
        self.text += text


def skeleton(html: str) -> _Skeleton:
    parser = _Skeleton()
    parser.feed(html)
    return parser


def everywhere(text: str) -> Comparison:
    """A comparison with `text` in all places that a model, a gateway or a user fills."""
    failed = Column(f"{text}1", text, error=ServerError(text, text), notices=(text,))
    judge = Verdict(text, (text,), text, text, column("judge", text).completion, ServerError(text, text))
    whole = column(f"{text}2", text, answered_by=text, finish_reason=text, reasoning=text, notices=(text, f"{text}3"))
    return comparison(failed, whole, column(f"{text}3", f"{text}."), verdict=judge)


# Every fifth: each of them stands in all places at once, and `test_hostile` has all of them in replies.
@pytest.mark.parametrize("payload", [p for _, p in hostile.EVERY][::5])
def test_hostile_text_in_any_place_stays_text(payload):
    benign = comparison_bundle(everywhere("word"), payload and "sandbox", kept="word3")
    bundle = comparison_bundle(everywhere(payload), "sandbox", kept=f"{payload}3")
    assert skeleton(bundle["text/html"]).tags == skeleton(benign["text/html"]).tags
    assert inlined(to_html(payload)) in bundle["text/html"]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", bundle["text/plain"])
    diff = skeleton(difference_html({f"{payload}1": payload, f"{payload}2": f"b {payload}", payload: "x. y"}))
    assert {t[0] for t in diff.tags} <= {"div", "ul", "li", "strong", "span"}
    diff = skeleton(difference_html({f"{payload}1": payload, f"{payload}2": f"b {payload[::-1]}"}))
    assert {t[0] for t in diff.tags} <= {"div", "del", "ins", "span"}
    assert not [t for t in diff.tags if t[0] != "div" and len(t) > 1]


def test_all_replies_are_there_whole_in_every_form():
    long = "\n\n".join(f"Paragraph {n} of a long reply." for n in range(300))
    bundle = comparison_bundle(comparison(column("a"), column("b", long)), "sandbox")
    assert inlined(to_html(TABLE)) in bundle["text/html"]
    assert to_html(long) in bundle["text/html"]
    assert f"## a\n\n{TABLE}\n\n## b\n\n{long}\n\n| model" in bundle["text/plain"]
    record = bundle["application/vnd.xcyq.comparison+json"]
    assert record["version"] == 1
    assert Comparison.from_dict(record, {})["b"].text == long
    assert "%chat_keep a takes that answer" in bundle["text/plain"]


def test_what_is_not_as_one_expects_is_said():
    columns = (
        column("a", answered_by="other", notices=("told",)),
        column("b", finish_reason="length"),
        column("c", partial="stopped"),
        Column("d", "d", column("d", "half", partial="incomplete").completion, ServerError("It broke.", "Again."), ()),
        Column("e", "e", error=ServerError("It is down.", "Wait.")),
    )
    bundle = comparison_bundle(comparison(*columns), kept="a")
    for text in (skeleton(bundle["text/html"]).text, bundle["text/plain"]):
        for said in ("⚠ other", "a: told", "raise --max-tokens", "stopped", "It broke.", "It is down.", "Wait."):
            assert said in text
        assert "a is kept: its answer is part of the conversation. %chat_keep b takes another instead." in text


def test_the_fastest_and_the_longest_are_seen():
    columns = (
        column("a", first=0.5, total=2.5, out=30, cost=0.5),
        column("b", first=1.0, total=4.0, out=120, cost=0.25),
        column("c", first=0.1, total=0.2, out=1, cost=0.01, partial="stopped"),
        Column("d", "d", error=ServerError("No.")),
    )
    headings, rows = metrics_table(columns)
    assert "|".join(headings) == "model|first token|total|tokens in|tokens out|tokens/s|cost|ended"
    best = {(row[0].text, headings[n]) for row in rows for n, cell in enumerate(row) if cell.best}
    # A reply that was stopped is no record.
    assert best == {("a", "first token"), ("a", "total"), ("b", "tokens/s"), ("b", "cost")}
    assert [row[4].share for row in rows] == [0.25, 1.0, 1 / 120, None]
    assert [row[2].text for row in rows] == ["2.50 s", "4.00 s", "0.20 s", ""]
    assert rows[3][-1].text == "ServerError"
    html = comparison_bundle(comparison(*columns))["text/html"]
    assert '30<div class="xcyq-bar" style="width:25%;' in html
    assert "<strong>40.0</strong>" in html or "<strong>40</strong>" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (12.5, "12.5000"),
        (0.0123, "0.0123"),
        (0.00046, "0.00046"),
        (0.00002, "0.000020"),
        (1.234e-7, "0.00000012"),
        (9.99e-5, "0.000100"),
        (-1.0, "-1.0000"),  # of a record that somebody wrote
    ],
)
def test_a_cost_is_written_without_a_power_of_ten(value, text):
    headings, rows = metrics_table([column("a", cost=value)])
    assert rows[0][headings.index("cost")].text == text


@pytest.mark.parametrize(
    ("answered_by", "seen"),
    [("gpt-5.5", False), ("openai/gpt-5.5", False), ("gpt-5.5-2026-01-01", False), ("gpt-5.5-low", True), ("", True)],
)
def test_who_answered_is_said_where_it_is_another_one(answered_by, seen):
    columns = [column("gpt-5.5", answered_by=answered_by), column("gpt-5.4")]
    headings, rows = metrics_table(columns)
    assert ("answered by" in headings) == seen
    assert {len(row) for row in rows} == {len(headings)}
    assert [c.text for row in rows for c in row if c.stands_out] == [f"⚠ {answered_by}"] * seen


def test_without_prices_there_is_no_cost():
    assert "cost" not in metrics_table([column("a"), column("b")])[0]


def test_a_notice_that_all_have_is_said_once():
    noticed = [("a", ["x", "y"]), ("b", ["x"]), ("c", ["x", "y"])]
    assert shared_notices(noticed) == ["x", "a, c: y"]


# What differs

words = st.text("ab .\n漢字", max_size=30)


@given(words, words)
@example("The cat sat.", "The dog sat.")
@example("", "a")
def test_both_texts_can_be_read_in_their_difference(first, second):
    stretches = by_words(first, second)
    read = {which: "".join(s.text for s in stretches if s.change != which) for which in ("added", "removed")}
    assert read["removed"] == second
    assert read["added"].split() == first.split() or "".join(read["added"].split()) == "".join(first.split())


def test_changed_words_are_marked():
    changed = [(s.change, s.text) for s in by_words("The black cat sat down.", "The white cat sat.")]
    assert changed == [
        ("same", "The "),
        ("removed", "black "),
        ("added", "white "),
        ("same", "cat sat"),
        ("removed", "down"),
        ("same", "."),
    ]
    html = difference_html({"one": "costs $5 <b>", "two": "costs $6 <b>"})
    assert "costs <span>$</span><del>5 </del><ins>6 </ins>&lt;b&gt;" in html
    assert "[-5 -]{+6 +}" in difference_plain({"one": "costs $5 a", "two": "costs $6 a"})
    assert "They say the same." in difference_html({"one": "same", "two": "same\n"})


SAME_AS_READ = [
    ("**bold** and `code`", "bold and code"),
    ("# Title\n\ntext", "__Title__\n\ntext"),
    ("* a\n* b", "- a\n\n- b"),
    ("```\nx = 1\n```", "    x = 1"),
    ("$x$ is", r"\(x\) is"),
    ("a | b\n--|--\n1 | *2*", "| a | b |\n|:--|:--|\n| 1 | 2 |"),
    ("> said\nso", "said so"),
    ("one\ntwo", "one two"),
    ("[here](<https://a.b>)", '[here](https://a.b "a title")'),
]


@pytest.mark.parametrize(("one", "two"), SAME_AS_READ)
def test_marks_of_markdown_are_no_difference(one, two):
    assert as_read(one) == as_read(two)
    assert "They say the same." in difference_html({"one": one, "two": two})
    assert "They say the same." in difference_plain({"one": one, "two": two, "three": two})


def test_what_is_read_is_a_difference():
    def differs(one: str, two: str) -> str:
        return difference_plain({"one": one, "two": two}).partition("\n\n")[2]

    assert differs("**fast**, *says* he", "**slow**, says he") == "[-fast-]{+slow+}, says he"
    assert differs("1. a\n2. b", "- a\n- b") == "[-1. -]{+\u2022 +}a\n[-2. -]{+\u2022 +}b"
    assert "[-c-]{+d+}" in differs("[here](https://b.c)", "[here](https://b.d)")
    assert differs("```\na\n\n b\n```", "```\na\n\n c\n```").endswith("a\n\n [-b-]{+c+}")
    assert "<ins>" in difference_html({"one": "- [ ] do", "two": "- [x] do"})
    html = difference_html({"one": "a &lt;b&gt; `<i>`", "two": "b &lt;b&gt; `<i>`"})
    assert "&lt;b&gt; &lt;i&gt;" in html


def test_a_long_stretch_that_is_the_same_is_shortened():
    same = " ".join(f"word{n}" for n in range(200))
    plain = difference_plain({"one": f"a {same} b", "two": f"c {same} d"})
    assert len(plain) < 400
    assert "word0" in plain
    assert "word199" in plain
    assert "word100" not in plain


def test_sentences_that_only_one_says():
    replies = [
        "# Result\n\nIt is **fast**. It costs little! Nobody knows.",
        "- It is fast.\n- It is safe.",
        "it is FAST; really\n\n1. It costs little!",
    ]
    assert said_by_one(replies) == [["Result", "Nobody knows."], ["It is safe."], ["it is FAST; really"]]
    plain = difference_plain(dict(zip("abc", replies, strict=True)))
    assert "- b\n  - It is safe." in plain
    assert said_by_one(["它很快。它很贵。", "它很快。", "它很快。"]) == [["它很贵。"], [], []]
    assert "They say the same." in difference_html(dict.fromkeys("abc", "One. Two."))


def test_long_replies_are_compared_at_once():
    """Nothing here may be quadratic: a loop of one word, and 100 kB of which every tenth word differs."""
    long = [f"w{n % 997}" for n in range(20_000)]
    other = [f"x{n}" if n % 10 == 0 else w for n, w in enumerate(long)]
    assert any(s.change == "added" for s in by_words(" ".join(long), " ".join(other)))
    assert by_words("a " * 20_000, "a " * 19_999)
