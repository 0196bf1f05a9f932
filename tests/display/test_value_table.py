"""Values of a type as tables."""

from __future__ import annotations

import datetime as dt
import enum
import re
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from inspector import problems
from pydantic import BaseModel

from xcyq_magic.chat.comparison import Column, Comparison
from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.messages import Message
from xcyq_magic.display.bundle import completion_bundle
from xcyq_magic.display.settled_comparison import comparison_bundle
from xcyq_magic.display.value_table import plain_value
from xcyq_magic.errors import TypeMismatchError


class Colour(enum.Enum):
    RED = "red"


class Review(BaseModel):
    label: str
    tags: list[str] = []
    colour: Colour = Colour.RED


@dataclass
class Point:
    x: int
    when: dt.date = field(default_factory=lambda: dt.date(2026, 11, 27))


def completion_of(data: Any, text: str = '{"label": "good"}') -> Completion:
    return Completion(text, "gpt-5.5", "gpt-5.5", data=data)


def shown(data: Any, text: str = '{"label": "good"}') -> str:
    return completion_bundle(completion_of(data, text))["text/html"]


def cells(html: str) -> list[list[str]]:
    """The rows of the first table."""
    table = html.partition("<table")[2].partition("</table>")[0]
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Review(label="a", tags=["b"]), {"label": "a", "tags": ["b"], "colour": "red"}),
        (Point(1), {"x": 1, "when": "2026-11-27"}),
        ({"a": (1, {2})}, {"a": [1, [2]]}),
        ([Review(label="a")], [{"label": "a", "tags": [], "colour": "red"}]),
        (b"bytes", "b'bytes'"),
        (None, None),
    ],
)
def test_a_value_is_made_of_what_tables_know(value, plain):
    assert plain_value(value) == plain


def test_a_value_that_is_within_itself_ends():
    endless: list[Any] = []
    endless.append(endless)
    assert "…" in str(plain_value(endless))


def test_the_fields_of_an_object_go_down_and_the_json_is_folded():
    html = shown(Review(label="<b>good</b> & bad", tags=["a", "b"]))
    assert cells(html) == [["label", "&lt;b&gt;good&lt;/b&gt; &amp; bad"], ["tags", "a, b"], ["colour", "red"]]
    folded = html.partition("<details")[2]
    assert "<summary>JSON</summary>" in folded
    assert "label" in folded


def test_a_list_of_objects_has_a_row_for_each_and_all_of_their_fields():
    rows = [Review(label="a"), {"label": "b", "more": {"x": [1]}}]
    assert cells(shown(rows)) == [
        ["#", "label", "tags", "colour", "more"],
        ["1", "a", "[]", "red", ""],
        ["2", "b", "", "", "{&quot;x&quot;: [1]}"],
    ]


def test_other_values_have_a_table_or_a_line():
    assert cells(shown(["a", 2])) == [["#", "value"], ["1", "a"], ["2", "2"]]
    assert "<p><strong>good</strong></p>" in shown("good")
    assert "<p><strong>true</strong></p>" in shown(data=True)
    assert "<p><strong>[]</strong></p>" in shown([])


def test_a_text_that_is_the_whole_reply_is_shown_as_it_is():
    html = shown("It is **good**.", "It is **good**.\n")
    assert "It is <strong>good</strong>." in html
    assert "<details" not in html


def test_what_is_long_is_cut_and_says_so():
    html = shown([{f"f{n}": "x" * 500 for n in range(15)}] * 25)
    table = cells(html)
    assert (len(table), len(table[0])) == (21, 13)
    assert all(len(cell) <= 300 for row in table for cell in row)
    assert "and 5 more rows, 3 more fields in the JSON" in html


@pytest.mark.parametrize(
    ("text", "summary"), [("Here: {1}", "The reply"), ('[{"a": "```"}]', "JSON"), ("It is good.", "The reply")]
)
def test_what_the_model_wrote_is_folded_as_it_is(text, summary):
    assert f"<summary>{summary}</summary>" in shown("good", text)


def test_the_plain_text_is_the_reply_and_a_hostile_value_stays_text():
    hostile = '<img src=x onerror="alert(1)">\u202e$x$'
    bundle = completion_bundle(completion_of({hostile: hostile}, "text"))
    assert bundle["text/plain"] == "text"
    assert "<img" not in bundle["text/html"]
    table = bundle["text/html"].partition("<table")
    assert problems(f"{table[1]}{table[2].partition('</table>')[0]}</table>") == []


# In a comparison


def column(name: str, data: Any, **more: Any) -> Column:
    return Column(name, name, completion_of(data), **more)


def comparison(*columns: Column) -> dict[str, str]:
    return comparison_bundle(Comparison(Message.of("user", "Judge"), columns))


def values_of(bundle: dict[str, str]) -> list[list[str]]:
    html = bundle["text/html"]
    return cells(html[html.index('jp-RenderedMarkdown xcyq-reply"><table') :])


NOT_THE_SAME = "≠\N{NO-BREAK SPACE}"


def test_each_field_is_a_row_and_what_differs_is_marked():
    good, bad = Review(label="good", tags=["a"]), Review(label="bad", tags=["a"])
    bundle = comparison(column("one", good), column("two", good), column("three", bad))
    assert "1 of 3 fields differ (≠)." in bundle["text/html"]
    assert values_of(bundle) == [
        ["", "one", "two", "three"],
        [f"{NOT_THE_SAME}label", "good", "good", "<strong>bad</strong>"],
        ["tags", "a", "a", "a"],
        ["colour", "red", "red", "red"],
    ]
    assert "label | good | good | bad |" in bundle["text/plain"]


def test_where_all_differ_none_stands_out():
    bundle = comparison(*(column(str(n), n) for n in range(3)))
    assert values_of(bundle)[1] == [f"{NOT_THE_SAME}value", "0", "1", "2"]


def test_lists_and_single_values_are_compared_too():
    bundle = comparison(column("one", [Point(1)]), column("two", [Point(1), Point(2)]))
    names = [row[0] for row in values_of(bundle)]
    assert names == ["", "1.x", "1.when", f"{NOT_THE_SAME}2.x", f"{NOT_THE_SAME}2.when"]
    assert values_of(bundle)[3][1] == "—"
    bundle = comparison(column("one", "good"), column("two", "good"))
    assert "The values are the same." in bundle["text/html"]
    assert values_of(bundle)[1] == ["value", "good", "good"]


def test_a_column_that_does_not_fit_shows_its_reply_and_why():
    error = TypeMismatchError("The reply does not fit Review: label: Field required.")
    bundle = comparison(column("one", Review(label="good")), replace(column("two", None), error=error))
    assert values_of(bundle)[0] == ["", "one"]
    assert "does not fit Review" in bundle["text/html"]
    assert "The values are the same" not in bundle["text/html"]


def test_without_types_there_is_no_such_table():
    bundle = comparison(column("one", None), column("two", None))
    assert "differ (" not in bundle["text/html"]
    assert "## Values" not in bundle["text/plain"]
