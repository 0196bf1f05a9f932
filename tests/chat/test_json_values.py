"""The JSON values in a text, against a decoder that is asked at every place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import json_values, texts

from xcyq_magic.chat.json_values import JsonValues, plain_answers, whole_value

# Text in which brackets, quotes and numbers stand at any place, and JSON that is whole, broken and cut.
scraps = st.lists(
    st.sampled_from([*'{}[]":,\n', '"a"', "1", "-", "true", "nul", "\\u00", "NaN", "1e999", " so "])
    | json_values.map(json.dumps)
).map("".join)
containers = st.lists(json_values, max_size=3) | st.dictionaries(texts, json_values, max_size=3)


def by_trying(text: str) -> list[object]:
    """Every object and list that a decoder finds, wherever it is told to begin."""

    def refuse(word):
        raise ValueError(word)

    found = []
    for start, sign in enumerate(text):
        if sign in "{[":
            try:
                value = json.JSONDecoder(parse_constant=refuse).raw_decode(text, start)[0]
            except ValueError:
                continue
            if "Infinity" not in json.dumps(value):
                found.append(value)
    return found


@given(scraps)
def test_they_are_those_that_a_decoder_finds_up_to_where_the_text_ends_within_one(text):
    values, every = JsonValues(text), by_trying(text)
    found = [v for v, _ in values]
    assert found == (every[: len(found)] if values.cut else every)


@given(containers, st.text(st.sampled_from("ab .\n`"), max_size=8), st.integers(0, 400))
def test_one_in_prose_is_found_and_each_part_of_it_is_cut(value, prose, repeated):
    value = [value] * (repeated + 1)  # longer than what is read at first
    source = json.dumps(value)
    assert next(iter(JsonValues(f"{prose}{source}{prose}"))).value == value
    for length in {1, len(source) // 3, len(source) // 2, len(source) - 1}:
        part = JsonValues(f"{prose}{source[:length]} \n")
        assert list(part) == []
        assert part.cut


@pytest.mark.parametrize(
    "cut",
    [
        '{"a',
        '{"a":',
        '{"a": tr',
        '{"a": -',
        '{"a": 1.',
        '{"a": 2e',
        '{"a": 2E+',
        '{"a": "\\',
        '{"a": "\\u00',
        "[1,",
        "[",
    ],
)
def test_wherever_it_is_cut_that_is_known(cut):
    values = JsonValues(f"Here: {cut}")
    assert list(values) == []
    assert values.cut


@pytest.mark.parametrize(
    "text", ["{ else }", '{"a" b}', "[1 2]", '{"a": "x\ny"}', "x[i] = {y}", "[NaN]", "[-Infinity]"]
)
def test_what_is_none_is_none_and_not_a_part_of_one(text):
    values = JsonValues(text)
    assert [v for v, _ in values if v] == []
    assert not values.cut


EVIL = {
    "nested lists": "[" * 10**6,
    "nested objects": '{"a":[' * 170_000,
    "openings in strings": '{"' * 100_000,
    "whole, but deep": ("[" * 900 + "]" * 900) * 100,
    "words that are no JSON": "[NaN," * 200_000,
    "many": "{}" * 100_000,
    "a long number": "[" + "9" * 10**6 + "]",
    "strings without an end": ('{"a":"' + "x" * 1_000) * 1_000,
}


@pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)
def test_of_a_long_text_of_anything_a_bounded_number_of_characters_is_read(text):
    values = JsonValues(text)
    before = values._work
    for _ in values:
        pass
    assert before - values._work < 20 * len(text)


def test_a_whole_text_is_a_value_and_a_word_stands_without_its_marks():
    assert whole_value(" 42\n") == (42, "42")
    assert whole_value("null").value is None
    assert whole_value("42 of them") is whole_value("NaN") is whole_value("1e999") is whole_value("[" * 10**5) is None
    assert list(plain_answers("**good**.")) == ["**good**.", "good"]
    assert list(plain_answers("It is\n```json\n5\n```")) == ["It is\n```json\n5\n```", "It is\n```json\n5", "5"]
