"""Strategies for the values of a chat."""

from __future__ import annotations

from functools import reduce

from hypothesis import strategies as st

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.conversation import CellRun, Parameters, Turn
from xcyq_magic.chat.given import MOST_COUNTED
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Text, Video

texts = st.text(max_size=40)
counts = st.none() | st.integers(0, MOST_COUNTED)
seconds = st.floats(min_value=0, max_value=1e9)
usages = st.builds(Usage, counts, counts, counts)
completions = st.builds(
    Completion,
    text=texts,
    requested_model=texts,
    model=texts,
    reasoning=texts,
    finish_reason=st.none() | texts,
    usage=st.none() | usages,
    first_token_s=st.none() | seconds,
    duration_s=seconds,
    partial=st.sampled_from([None, "stopped", "incomplete"]),
    id=st.none() | texts,
    created=counts,
    chain=texts,
    instead_of=texts,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
wrong_values = (  # where none of them may be
    st.sampled_from([None, True, -1, 10**400, 1.5, float("nan"), float("inf"), 1e300, "", "\0\ud800\u202e", [], {}])
    | json_values
    | st.integers(1, 400).map(lambda levels: reduce(lambda inner, _: [inner], range(levels), 0))
)


def put_wrong_values(draw, record: object, most: int = 3) -> None:
    """Put any JSON in the place of some values of `record`, however deep they are."""
    for _ in range(draw(st.integers(1, most))):
        places = [(record, name) for name in record]
        for inner, name in places:  # grows: whatever is within
            value = inner[name]
            named = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
            places += [(value, n) for n in named if len(places) < 200]
        inner, name = draw(st.sampled_from(places))
        inner[name] = draw(wrong_values)


field_names = texts.filter(lambda name: name not in {"temperature", "top_p", "max_tokens", "stop"})
parameter_sets = st.builds(
    Parameters,
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    max_tokens=st.none() | st.integers(1, MOST_COUNTED),
    stop=st.lists(texts, max_size=4).map(tuple),
    extra=st.dictionaries(field_names, json_values, max_size=3),
)
images = st.builds(
    Image,
    data=st.binary(max_size=30),
    mime=st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/gif"]),
    width=st.integers(1, 10_000),
    height=st.integers(1, 10_000),
    name=texts,
    note=texts,
    original=st.none() | st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
)
videos = st.builds(
    Video,
    data=st.binary(max_size=30),
    mime=st.sampled_from(["video/mp4", "video/x-flv", "video/3gpp"]),
    name=texts,
    duration_s=st.none() | seconds,
)
links = st.builds(
    MediaLink, st.just("https://example.org/a.png?b=c"), kind=st.sampled_from(["image", "video"]), name=texts
)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant"]),
    parts=st.lists(st.builds(Text, texts) | images | videos | links, max_size=4).map(tuple),
)
turns = st.builds(
    Turn,
    prompt=messages,
    completion=completions,
    system=st.none() | texts,
    parameters=parameter_sets,
    cell=st.none() | st.builds(CellRun, texts, texts),
    asked_at=seconds,
)
