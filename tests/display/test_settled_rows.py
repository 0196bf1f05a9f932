"""Settled rows: failures first, bounded, safe whatever a reply says, readable without a style."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import unescape

import hostile
import pytest
from inspector import problems
from PIL import Image as Pillow

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.rows import Record, Row, Rows
from xcyq_magic.display.settled_rows import latest_html, rows_bundle
from xcyq_magic.errors import IncompleteReplyError, RateLimitError, ServerError
from xcyq_magic.media.images import image_of_picture

MARKED = "**Bold** and\n\n- a list\n\n| a | b |\n|---|---|\n| 1 | 2 |"


@dataclass
class Review:
    label: str
    stars: int
    topics: list[str]


class Broken:
    def __repr__(self) -> str:
        raise ZeroDivisionError


def row(label: object, text: str | None = "Yes.", case: object = "A case", **more) -> Row:
    known = {"usage": Usage(3, 2), "duration_s": 1.0, **more.pop("completion", {})}
    completion = None if text is None else Completion(text, "gpt-5.5", "gpt-5.5", finish_reason="stop", **known)
    return Row(label, case, completion, **more)


def failed(label: object, error: Exception | None = None, text: str | None = None) -> Row:
    return row(label, text, error=error or ServerError("The gateway has no channel.", "Ask another model with -m."))


def unstyled(html: str) -> str:
    return re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)


def table(html: str) -> list[list[str]]:
    """The texts of a table's cells, row by row."""
    lines = re.findall(r"<tr>(.*?)</tr>", unstyled(html), re.DOTALL)
    return [[unescape(re.sub("<[^>]*>", "", c)) for c in re.findall(r"<t[dh]\b.*?</t[dh]>", line)] for line in lines]


def caption(bundle: dict) -> str:
    return bundle["text/plain"].splitlines()[0]


def test_failures_come_first_and_what_they_say_stands_in_their_place():
    bundle = rows_bundle(Rows([row("a"), failed("b"), row("c", MARKED), failed("d")], "gpt-5.5"))
    assert table(bundle["text/html"]) == [
        ["row", "case", "reply"],
        ["b", "A case", "⚠ failed The gateway has no channel."],
        ["d", "A case", "⚠ failed The gateway has no channel."],
        ["a", "A case", "Yes."],
        ["c", "A case", "Bold and a list a b 1 2"],
    ]
    assert caption(bundle) == "[gpt-5.5 · 4 rows · 2 failed · 6 tokens in, 4 out]"
    for shown in bundle.values():
        assert shown.count("Ask another model with -m.") == 1
        assert "2 rows without a complete answer: run the cell again, and only these are asked." in shown
    assert "⚠ failed The gateway has no channel." in bundle["text/plain"]
    assert set(bundle) == {"text/html", "text/plain"}


@pytest.mark.parametrize(
    ("data", "fields", "cells"),
    [
        (Review("good", 5, ["battery", "camera"]), ["label", "stars", "topics"], ["good", "5", "battery, camera"]),
        ({"label": None, "nested": {"a": 1}}, ["label", "nested"], ["", "{'a': 1}"]),
        (4.5, ["reply"], ["4.5"]),
        ("**as it is**", ["reply"], ["**as it is**"]),
        ({f"f{n}": n for n in range(14)}, [f"f{n}" for n in range(12)], [f"{n}" for n in range(12)]),
    ],
)
def test_the_fields_of_an_answer_are_columns(data, fields, cells):
    rows = Rows([row("a", data=data), failed("b")], "gpt-5.5")
    html = rows_bundle(rows)["text/html"]
    head, error, answer = table(html)
    assert (head[2:], answer[2:]) == (fields, cells)
    assert len(error) == 3
    assert f'colspan="{len(fields)}"' in html or len(fields) == 1
    assert ("2 more fields of each answer in its .data." in html) == (len(fields) == 12)
    assert all(cell in latest_html(rows) for cell in cells[:1])


@pytest.mark.parametrize("fields", ["", "abcde"])
def test_many_rows_are_folded_and_the_output_stays_small(fields):
    words = "word " * 2_000
    wide = {"case": Record(text=words), "data": dict.fromkeys(fields, words) or None}
    rows = Rows([failed(n) if n % 5 == 4 else row(n, words, **wide) for n in range(5_000)], "gpt-5.5")
    bundle = rows_bundle(rows)
    assert sum(map(len, bundle.values())) < 200_000
    seen, _, folded = bundle["text/html"].partition("<details")
    labels = [line[0] for line in table(seen)[1:]]
    assert labels == [*(f"{n}" for n in range(4, 54, 5)), *(f"{n}" for n in range(12) if n % 5 != 4)]
    shown = len(labels) + len(table(folded)) - 1
    assert 80 < shown < 300 if fields else shown == 300
    assert f"{shown - 20} more rows</summary>" in folded
    assert f"{5_000 - shown:,} more rows in _rows" in folded
    assert "4,940 more rows in _rows" in bundle["text/plain"]
    assert len(bundle["text/plain"].splitlines()) < 70


def test_what_was_stopped_not_asked_or_answered_before_is_said_once():
    never = IncompleteReplyError("It was not asked.", "Run the cell again.")
    stopped = row("b", "Half of", error=never, completion={"partial": "stopped"})
    before = [row(n, completion={"cached": True, "usage": None}, cost=0.0) for n in "cd"]
    rows = [row("a", cost=0.5), stopped, *before, *(replace(failed(n, never), asked=False) for n in range(90))]
    bundle = rows_bundle(Rows(rows, "gpt-5.5", duration_s=75.2), "sandbox")
    said = "1 stopped · 90 not asked · 2 answered before · 1 min 16 s · 6 tokens in, 4 out · cost 0.5000"
    assert caption(bundle) == f"[gpt-5.5 · sandbox · 94 rows · {said}]"
    assert [line[0] for line in table(bundle["text/html"])] == ["row", "b", "a", "c", "d"]
    assert "■ stopped Half of" in bundle["text/plain"]
    assert "Half of" in table(bundle["text/html"])[1][2]
    assert "91 rows without a complete answer" in bundle["text/html"]


def test_rows_of_one_request_are_paid_once():
    same = row("a", cost=0.25)
    rows = Rows([same, replace(same, label="b"), row("c", cost=0.25)], "gpt-5.5")
    assert rows.cost == 0.5
    assert "6 tokens in, 4 out" in caption(rows_bundle(rows))


def test_where_one_reply_would_be_is_not_said_of_rows():
    error = IncompleteReplyError("It broke off.", "What came is in _reply. Run the cell again.")
    bundle = rows_bundle(Rows([row("a"), failed("b", error, "Half")], "gpt-5.5"))
    assert table(bundle["text/html"])[1][2] == "⚠ failed It broke off.Half"
    assert "_reply" not in bundle["text/html"] + bundle["text/plain"]


def test_the_end_that_a_reply_came_to_is_said():
    long = row("a", "Long")
    cut = replace(long, completion=replace(long.completion, finish_reason="length"))
    html = rows_bundle(Rows([cut], "gpt-5.5"))["text/html"]
    assert "cut off by the token limit" in html


def test_nothing_at_all_was_asked():
    unasked = replace(failed("a"), asked=False)
    bundle = rows_bundle(Rows([unasked], "gpt-5.5"))
    assert "<table" not in unstyled(bundle["text/html"])
    assert caption(bundle) == "[gpt-5.5 · 1 row · 1 not asked]"


@pytest.mark.parametrize(
    ("case", "label", "shown"),
    [
        (Record(text="a\nb", stars=3), "x", "text: a b, stars: 3"),
        (Record(key="k", value="v"), "k", "v"),
        (Broken(), "x", "<Broken>"),
        (Record(of=Broken()), "x", "of: <Broken>"),
        ("x" * 5_000, "x", "x" * 159 + "…"),
        (None, "x", ""),
        (float("nan"), "x", "nan"),
        (["a", "b", 1], "x", "a, b, 1"),
        ({}, "x", ""),
        (("loop", [1] * 20), "x", f"loop, {[1] * 20}"),
    ],
)
def test_a_case_is_shown_in_short(case, label, shown):
    rows = Rows([row(label, case=case)], "gpt-5.5")
    assert table(rows_bundle(rows)["text/html"])[1][1] == shown
    assert f">{label}</td>" in latest_html(rows)


def test_the_pictures_of_a_prompt_stand_with_its_case():
    picture = Pillow.new("RGB", (300, 200), (200, 100, 50))
    sent = image_of_picture(picture, "photo")
    rows = Rows([row("a", case=Record(photo=picture, place="shelf"), media=(sent,) * 5)], "gpt-5.5")
    html = rows_bundle(rows)["text/html"]
    assert html.count('<img src="data:image/webp;base64,') == 3
    assert 'width="64" height="43"' in html
    assert table(html)[1][1] == "place: shelf   and 2 more"
    broken = replace(rows[0], media=(replace(sent, data=b"no picture"),))
    assert "photo" in table(rows_bundle(Rows([broken], "gpt-5.5"))["text/html"])[1][1]


# What only we may write.
OURS = {
    "<div style='opacity:.75;font-size:13px;font-weight:400'>",
    "<div style='opacity:.65;font-size:13px;font-weight:400;margin:0 0 .4em'>",
    "<div style='padding:0 6px'>",
    "<div style='padding:0'>",
    "<div class='jp-RenderedHTMLCommon jp-RenderedMarkdown xcyq-reply'>",
    "<td colspan='3'>",
}


# Every third: each of them stands in all places at once, and `test_hostile` has all of them in replies.
@pytest.mark.parametrize("payload", [p for _, p in hostile.EVERY][::3])
def test_nothing_but_harmless_html_comes_of_it(payload):
    rows = Rows(
        [
            row(payload, payload, payload),
            row("b", payload, Record({payload: payload})),
            row("c", payload, [payload], data={payload: payload, "x": [payload]}),
            failed("d", RateLimitError(payload, payload), payload),
            row("e", completion={"partial": "stopped"}, error=ServerError(payload)),
        ],
        payload,
    )
    bundle = rows_bundle(rows, payload)
    for html in (unstyled(bundle["text/html"]), *(latest_html([r]) for r in rows)):
        assert set(problems(html)) <= OURS
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", bundle["text/plain"])


TURNED = "gpt\u202e5.5"


def test_what_turns_the_direction_of_text_is_shown_as_what_it_is():
    rows = Rows([row(TURNED, TURNED, Record({TURNED: TURNED})), failed("b", ServerError(TURNED, TURNED))], TURNED)
    for shown in (*rows_bundle(rows).values(), *(latest_html([r]) for r in rows)):
        assert "\u202e" not in shown
        assert "gpt‹U+202E›5.5" in shown
