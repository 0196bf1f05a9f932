"""What is being typed at a place in a cell; argparse is the judge of what a word on a magic's line is."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.errors import ExpressionError
from xcyq_magic.magics.expand import open_expression, parse
from xcyq_magic.magics.line import Typed, typed_at


def parser_of_a_turn() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chat", add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--model")
    parser.add_argument("-s", "--system")
    parser.add_argument("-a", "--attach", action="append", default=[])
    parser.add_argument("-f", "--figure")
    parser.add_argument("--top-p")
    parser.add_argument("--once", action="store_true")
    parser.add_argument("text", nargs="...")
    return parser


def parser_of_a_comparison() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="compare", add_help=False, allow_abbrev=False)
    parser.add_argument("models", nargs="*")
    parser.add_argument("-s", "--system")
    parser.add_argument("--diff", action="store_true")
    return parser


MAGICS = {"chat": parser_of_a_turn(), "compare": parser_of_a_comparison(), "chat_model": None}


@pytest.mark.parametrize(
    ("before", "kind", "fragment", "option"),
    [
        ("%chat -", "option", "-", ""),
        ("  %chat --to", "option", "--to", ""),
        ("\n\n%%chat -m gpt --", "option", "--", ""),
        ("%chat ", "word", "", ""),
        ("%chat -m ", "value", "", "model"),
        ("%chat -m -", "value", "-", "model"),
        ("%chat --model=gp", "value", "gp", "model"),
        ("%chat -mgp", "value", "gp", "model"),
        ("%chat -s 'be brief' -a my", "value", "my", "attach"),
        ('%chat -s "be br', "value", '"be br', "system"),
        ('%chat -a "my plot ', "value", '"my plot ', "attach"),
        ("%chat -f -m ", "value", "", "model"),  # the number may be left out
        ("%chat -f 2 -m ", "value", "", "model"),
        ("%chat -f ", "word", "", ""),
        ("%%compare gpt-5.5 --diff cl", "word", "cl", ""),
        ("%%compare gpt-5.5 -s x ", "word", "", ""),
        ("%chat_model gpt", "word", "gpt", ""),
        ("%%timeit\n%chat -m g", "value", "g", "model"),
        ("%%chat\nsee {{ df.x", "expression", " df.x", ""),
        ("%%chat --once\n{{ a }} and {{ {'b': {", "expression", " {'b': {", ""),
        ("%%chat\n{{ {'b': {'c': 1}}['b'].", "expression", " {'b': {'c': 1}}['b'].", ""),
        ("%chat see {{ [1,\t", "expression", " [1,\t", ""),
    ],
)
def test_what_is_typed(before, kind, fragment, option):
    typed = typed_at(before, MAGICS)
    assert typed is not None
    assert (typed.kind, typed.fragment, typed.option) == (kind, fragment, option)
    assert before.endswith(typed.fragment)


@pytest.mark.parametrize(
    "before",
    [
        "%cha",
        "%%chat",
        "%chat",
        "%other -m ",
        "%%other -m ",
        "x = {{ df.",
        "%chat hello -",
        "%chat -- -",
        "%chat -5 + -",
        "%chat --unknown -",
        "%%chat\n%chat -",
        "%%chat\n-",
        "%%chat\n{{ df }}",
        "%%chat\n\\{{ df",
        "%%chat --raw\n{{ df.",
        "%chat --raw {{ df.",
    ],
)
def test_nothing_that_completes_is_typed(before):
    assert typed_at(before, MAGICS) is None


VALUES = st.text("ab.-_=5", min_size=1).filter(lambda v: v[0] not in "-=")


@st.composite
def lines(draw):
    """A line of options of which the last is being typed, its beginning in any of the forms that argparse takes."""
    words, given = [], set()
    for _ in range(draw(st.integers(0, 4))):
        name, option = draw(st.sampled_from([("-m", "model"), ("--system", "system"), ("-a", "attach")]))
        given.add(option)
        value = draw(VALUES)
        words += draw(st.sampled_from([[name, value], [f"{name}={value}" if name.startswith("--") else name + value]]))
        if draw(st.booleans()):
            words.append("--once")
            given.add("once")
    name, option = draw(
        st.sampled_from([("-m", "model"), ("--model", "model"), ("--top-p", "top_p"), ("-s", "system")])
    )
    value = draw(VALUES)
    glued = f"{name}={value}" if name.startswith("--") else name + value
    separate = draw(st.booleans())
    words += [name, value] if separate else [glued]
    return words, option, value, given | ({option} if separate else set())


@given(lines())
def test_the_value_at_the_cursor_is_the_one_that_argparse_finds(line):
    words, option, value, given_before = line
    typed = typed_at("%chat " + " ".join(words), MAGICS)
    assert typed == Typed("chat", "value", value, option, frozenset(given_before))
    assert getattr(parser_of_a_turn().parse_args(words), option) == value


@given(st.text("%cha -m{}\"'\n\\=x"))
def test_whatever_is_typed_there_is_an_answer_that_stands_at_its_end(text):
    for before in (text, f"%chat {text}", f"%%chat\n{text}", f"%%compare {text}"):
        typed = typed_at(before, MAGICS)
        assert typed is None or before.endswith(typed.fragment)


@given(st.text("{}\\ a1'"))
def test_an_expression_is_open_where_the_prompt_cannot_be_sent_yet(text):
    try:
        list(parse(text))
    except ExpressionError:
        assert text.endswith(open_expression(text))
    else:
        assert open_expression(text) is None
