"""The check of pools: nine cheats are found, an honest pool raises no alarm, and what is said is what was seen."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3

import pytest
from kernels import KEY
from servers import DONE, Answer, RawServer, delta, event, http

from xcyq_magic.chat.checks import ASPECTS, EARLIER, Finding
from xcyq_magic.errors import MissingKeyError, OptionError
from xcyq_magic.gateway.catalog import MODELS
from xcyq_magic.gateway.sandbox.cheats import CHEATS
from xcyq_magic.gateway.sandbox.server import Sandbox
from xcyq_magic.session.checking import Checking
from xcyq_magic.session.probes import probes_of
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

# What stands out of a pool that does this, and nothing else.
FOUND = {
    "another-model": "answered_by",
    "picture-dropped": "picture",
    "system-dropped": "system",
    "history-cut": "history",
    "usage-inflated": "prompt_tokens",
    "buffered": "streams",
    "stop-ignored": "stop",
    "max-tokens-ignored": "max_tokens",
    "dead": "reachable",
    "noise": None,
}


@pytest.fixture
def asked(monkeypatch):
    """Begin a session that asks a server, or a sandbox at the pace of a model."""
    opened = []
    monkeypatch.setenv("XCYQ_API_KEY", KEY)

    def begin(server=None, store=":memory:", **settings):
        server = server or Sandbox(key=KEY)
        gateway = GatewaySettings(base_url=server.base_url, prices={"gpt-*": (1_000_000, 1_000_000)})
        session = ChatSession(gateway, ChatSettings(store=str(store), **settings))
        opened.extend([session.close, server.close])
        return session, server

    yield begin
    for close in opened:
        close()


def checked(session, *words, deep=False):
    done = Checking(session, words, deep=deep).check()
    assert done.error is None
    return {pool.model: pool for pool in done.report.pools}


def standing_out(pool) -> list[str]:
    return [name for name, finding in pool.findings.items() if finding.stands_out]


def replied(*chunks: bytes, more: tuple[bytes, ...] = ()) -> Answer:
    return Answer(http(b"".join([*chunks, *more, DONE]), kind="text/event-stream"))


# What is found


def test_each_cheat_is_found_and_nothing_is_said_of_an_honest_pool(asked):
    assert set(FOUND) == set(CHEATS)
    session, _ = asked(concurrency=6)
    pools = checked(session, "claude-opus-4-7", *(f"gpt-5.5~{name}" for name in FOUND), deep=True)
    honest = pools.pop("claude-opus-4-7")
    assert standing_out(honest) == []
    marks = {name for name, aspect in ASPECTS.items() if aspect.means}
    assert {name for name, finding in honest.findings.items() if finding.kept} == marks - {"listed"}
    assert all(honest.findings[name].value > 0 for name, aspect in ASPECTS.items() if not aspect.means)
    found = {model.partition("~")[2]: standing_out(pool) for model, pool in pools.items()}
    assert found == {name: [aspect] if aspect else [] for name, aspect in FOUND.items()}


def test_what_is_said_is_what_was_seen(asked):
    session, _ = asked()
    pools = checked(session, "gpt-5.5~{another-model,dead,usage-inflated}")
    said = [pool.sentences[0] for pool in pools.values()]
    assert said[0] == "answered as gpt-4o-mini"
    assert said[1].startswith("did not answer: The gateway refused with 503")
    assert re.fullmatch(r"counted 1\.\d\d times the prompt tokens that were sent", said[2])


def test_a_pool_that_refuses_a_parameter_is_said_not_to_take_it_which_is_no_fault(asked):
    refusal = {"error": {"message": "Unsupported parameter: 'stop' is not supported with this model."}}
    no_list, refused = Answer(http("no list", "404 Not Found")), Answer(http(json.dumps(refusal), "400 Bad Request"))
    server = RawServer([no_list, no_list, refused, replied(delta("Something else.", "stop"))])
    session, _ = asked(server, concurrency=1)
    pool = checked(session, "gpt-5.5")["gpt-5.5"]
    assert ["stop" in request.json for request in server.requests[2:4]] == [True, False]
    assert pool.findings["stop"] == Finding(kept=None, said="not taken")
    assert "stop" not in " ".join(pool.sentences)
    assert pool.error is None


def test_a_request_without_an_answer_is_said_and_the_others_tell_what_they_can(asked):
    no_list, refused = (
        Answer(http("no list", "404 Not Found")),
        Answer(http('{"error": "no pictures"}', "400 Bad Request")),
    )
    session, _ = asked(RawServer([no_list, no_list, refused, replied(delta("101 102", "length"))]), concurrency=1)
    pool = checked(session, "gpt-5.5")["gpt-5.5"]
    assert pool.findings["reachable"].kept
    assert pool.findings["max_tokens"].kept
    assert "picture" not in pool.findings
    assert [said.partition(":")[0] for said in pool.sentences] == ["left a request without an answer"]
    assert "no pictures" in pool.sentences[0]
    assert pool.stands_out


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (
            replied(delta("", "length")),
            {"streams", "system", "history", "picture", "stop", "prompt_tokens"},
        ),  # it thought
        (replied(delta("Hello.", "stop")), {"streams", "stop", "prompt_tokens"}),
        (Answer(http(json.dumps({"choices": [{"message": {"content": "Hello."}}]}))), {"streams", "stop"}),
    ],
)
def test_what_cannot_be_told_is_not_held_against_a_pool(asked, answer, unknown):
    session, _ = asked(RawServer([answer]))
    findings = checked(session, "gpt-5.5")["gpt-5.5"].findings
    assert {name for name in unknown if findings[name].kept is None} == unknown


def test_a_server_that_lists_its_models_is_held_to_its_list(asked):
    listed = Answer(http(json.dumps({"data": [{"id": "mine"}]})))
    session, _ = asked(RawServer([listed, listed, replied(delta("Hello.", "stop"))]))
    pools = checked(session, "mine", "other")
    assert [pool.findings["listed"].kept for pool in pools.values()] == [True, False]


# What is sent


def test_what_is_sent_is_drawn_anew_and_takes_1500_tokens_at_most(asked):
    session, _ = asked(history_turns=0, keep_media=0, system="Be brief.", stream=False)
    for model in MODELS:
        probes = probes_of(session, model, deep=True)
        bounds = [probe.job.request.parameters.max_tokens for probe in probes]
        assert sum(bounds) + sum(probe.sent for probe in probes) <= 1_500
    once, *again = (probes_of(session, "gpt-5.5", deep=True) for _ in range(12))
    for probes in zip(once, *again, strict=True):  # of some 50 words, two may be the same by chance
        assert len({probe.job.request.messages[-1].text for probe in probes}) > 1
    request = once[0].job.request
    assert [m.role for m in request.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert "Be brief." not in request.messages[0].text
    assert request.messages[-1].images
    assert request.stream


def test_the_cost_is_told_before_and_counted_after(asked):
    session, server = asked()
    checking = Checking(session, ["gpt-5.5{,-low}"])
    assert server.received == []
    assert str(checking.outlook) == (
        f"2 pools · 4 requests · about {checking.outlook.tokens:,} tokens · cost about {checking.outlook.tokens:.2g}"
    )
    report = checking.check().report
    usage = report.usage
    assert report.cost == usage.prompt_tokens + usage.completion_tokens
    assert 0.7 < report.cost / checking.outlook.tokens < 1.5
    assert len(server.received) == 4


@pytest.mark.parametrize(
    ("words", "error"),
    [((), "needs the names of pools"), (("zeb*",), "No model's name matches"), (("gpt-{5",), "has no partner")],
)
def test_what_names_no_pool_is_refused(asked, words, error):
    session, server = asked()
    with pytest.raises(OptionError, match=error):
        Checking(session, words)
    assert server.received == []


def test_without_a_key_nothing_is_sent():
    session = ChatSession(GatewaySettings(base_url="https://gateway.invalid"), ChatSettings(store=":memory:"))
    with pytest.raises(MissingKeyError):
        Checking(session, ["gpt-5.5"])
    session.close()


def test_a_part_of_a_name_is_a_pattern_and_a_whole_name_is_itself(asked):
    session, _ = asked()
    assert Checking(session, ["haiku", "gpt-5.5", "gpt-5.5", "new-model"]).models == [
        *(name for name in MODELS if "haiku" in name),
        "gpt-5.5",
        "new-model",
    ]


def test_an_interrupt_keeps_what_came(asked, tmp_path):
    session, _ = asked(store=tmp_path / "kept.sqlite", concurrency=2)

    def paint(progress):
        if any(pool.whole for pool in progress.pools):
            raise KeyboardInterrupt

    done = Checking(session, ["gpt-5.5", "gpt-5.5-low", "gpt-5.4"]).check(paint)
    assert isinstance(done.error, KeyboardInterrupt)
    assert [pool.whole for pool in done.report.pools] == [True, False, False]
    assert done.report.pools[1].stands_out is False
    assert [pool.error for pool in done.report.pools] == [None] * 3
    kept = session.conversations.books.earlier_checks(session.places.here, ["gpt-5.5", "gpt-5.5-low", "gpt-5.4"])
    assert [len(kept[name]) for name in kept] == [1, 0, 0]


# Beside earlier checks


def test_a_figure_stands_beside_the_median_of_its_earlier_ones(asked, tmp_path):
    path = tmp_path / "kept.sqlite"
    session, server = asked(store=path)
    first = checked(session, "gpt-5.5")["gpt-5.5"]
    assert {f.usual for f in first.findings.values()} == {None}
    session.close()
    later, _ = asked(server, store=path)
    second = checked(later, "gpt-5.5")["gpt-5.5"]
    assert {n: f.usual for n, f in second.findings.items() if f.usual is not None} == first.figures
    elsewhere, _ = asked(store=path)
    assert checked(elsewhere, "gpt-5.5")["gpt-5.5"].findings["duration_s"].usual is None


@pytest.mark.parametrize(
    ("name", "value", "earlier", "worse"),
    [
        ("first_token_s", 3.0, [1.0, 1.0, 1.0], True),
        ("first_token_s", 2.9, [1.0, 1.0, 1.0], False),
        ("first_token_s", 3.0, [1.0, 9.0, 9.0], False),  # the median counts
        ("first_token_s", 0.4, [0.01], False),  # nobody waits for that
        ("first_token_s", 9.0, [9.0] * EARLIER + [1.0] * 99, False),  # the last ones count
        ("tokens_per_s", 30.0, [90.0], True),
        ("tokens_per_s", 300.0, [90.0], False),
        ("prompt_tokens", 1.4, [0.4], False),  # it has bounds of its own
    ],
)
def test_a_figure_three_times_worse_than_usual_stands_out(name, value, earlier, worse):
    assert Finding(value=value).beside(ASPECTS[name], earlier).worse is worse


def test_a_row_of_the_store_that_cannot_be_read_is_left_out(asked, tmp_path):
    path = tmp_path / "kept.sqlite"
    session, _ = asked(store=path)
    checked(session, "gpt-5.5")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for odd in ("no JSON", "[1]", '{"duration_s": "long", "tokens_per_s": null, "first_token_s": -1}'):
            connection.execute("INSERT INTO checks VALUES (?, 'gpt-5.5', 9e9, ?, '{}')", (session.places.here, odd))
    earlier = session.conversations.books.earlier_checks(session.places.here, ["gpt-5.5"])["gpt-5.5"]
    assert [len(figures) for figures in earlier] == [0, 0, 4]


def test_a_frame_has_a_row_for_each_pool(asked):
    session, _ = asked()
    frame = Checking(session, ["gpt-5.5~{noise,dead,history-cut}"]).check().report.to_frame()
    assert frame["history"].isna().to_list() == [False, True, False]
    assert frame["history"].dropna().to_list() == [True, False]
    assert frame["stands_out"].to_list() == [False, True, True]
    assert frame["first_token_s"].notna().to_list() == [True, False, True]
    assert "No available channel" in frame.loc["gpt-5.5~dead", "error"]


def test_what_came_within_a_moment_is_noted(asked):
    session, _ = asked(RawServer([replied(*(delta("word ") for _ in range(50)), more=(event({"choices": []}),))]))
    probe = probes_of(session, "gpt-5.5", deep=False)[0]
    session.send([probe.job], lambda _: None)
    assert probe.job.live.most_at_once == 250
