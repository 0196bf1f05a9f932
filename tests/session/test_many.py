"""Many cases from Python: `ask_each` and `compare(each=…)`, also in worker processes and from threads."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import distributed
import numpy as np
import pandas as pd
import pytest
from servers import ScriptedServer

from xcyq_magic import Evaluation, Rows, ask_each, compare
from xcyq_magic.chat.rows import Row
from xcyq_magic.errors import InputError, OptionError
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

FRAME = pd.DataFrame({"text": ["fine", "bad"], "n": [1, 2]}, index=["a", "b"])


@pytest.fixture
def server():
    server = ScriptedServer(lambda _, body: f"about {body['messages'][-1]['content']}")
    yield server
    server.close()


@pytest.fixture
def session(server):
    session = ChatSession(GatewaySettings(base_url=server.base_url), ChatSettings(store=":memory:"))
    yield session
    session.close()


def test_a_frame_is_asked_about_by_its_columns(session):
    rows = ask_each(FRAME, "{text} #{n}", session=session)
    assert isinstance(rows, Rows)
    assert FRAME.join(rows.to_frame())["reply"].to_dict() == {"a": "about fine #1", "b": "about bad #2"}


def test_rows_are_a_column(session):
    frame = FRAME.assign(reply=ask_each(FRAME, "{text} #{n}", session=session))
    assert frame["reply"].to_dict() == {"a": "about fine #1", "b": "about bad #2"}


@pytest.mark.parametrize(
    ("answers", "dtype"),
    [
        ([3, 4], "int64"),
        ([3, 0.5], "float64"),
        ([True, False], "bool"),
        ([True, 2], "object"),
        (["light", "heavy"], "object"),
        ([3, None], "object"),
        ([["a", "b"], ["c", "d"]], "object"),
        ([{"reply": 1}, {"reply": 2}], "object"),
        ([], "object"),
    ],
)
def test_typed_answers_are_a_column_of_their_type(answers, dtype):
    rows = Rows([Row(n, "case", data=answer) for n, answer in enumerate(answers)])
    array = np.asarray(rows)
    assert array.dtype == dtype
    assert array.tolist() == answers
    frame = pd.DataFrame(index=range(len(answers)))
    frame["answer"] = rows
    assert frame["answer"].tolist() == answers


@pytest.mark.parametrize(
    ("cases", "prompt", "said"),
    [
        (["x"], "<{row}>", "<x>"),
        ({"k": 3}, "{key}={value}", "k=3"),
        (FRAME[:1], "{row.text} {row[n]:03d}", "fine 001"),
        (["x"], lambda row: f"f {row}", "f x"),
        (["x"], lambda row: (f"f {row}", 3), "3f x"),
        ([("p", 1)], "{row[0]} {{braces}}", "p {braces}"),
        (pd.DataFrame([["a", "b"]]), "{0} {row[1]} {1!r:>4}", "a b  'b'"),
        ([{"a.b": 1, "c[0]": 2, "d e": 3}], "{a.b} {c[0]} {d e}", "1 2 3"),
        ([{"items": "i", "keys": "k"}], "{items} {row.keys}", "i k"),
    ],
    ids=["item", "mapping", "row", "function", "with media", "braces", "numbers", "signs", "methods"],
)
def test_a_prompt_names_its_case(session, server, cases, prompt, said):
    ask_each(cases, prompt, session=session)
    content = server.received[0]["messages"][-1]["content"]
    assert "".join(content.split("\n")) == said


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("{txt}", r"Row 'a': the prompt's braces name a field that the case does not have \(KeyError: 'txt'\)"),
        ('{"label": 1}', "Row 'a': the prompt's braces"),
        ("{text", "Row 'a': the prompt's braces"),
        ("{0}", "Row 'a': the prompt's braces"),
        ("{row.txt}", "no column 'txt'"),
        ("{}", "Row 'a': the prompt's braces"),
        ("What is {{ row.text }}?", r"doubled braces are plain text(.|\n)*Write single ones: \{text\}"),
        ("What is {{text}}?", r"doubled braces are plain text(.|\n)*Write single ones: \{text\}"),
        (lambda row: row.txt, "Row 'a': the prompt's function failed: AttributeError"),
        (lambda row: 3, "Row 'a': The prompt is text, not an int"),
        (3, "The prompt is a text or a function of a case, not an int"),
        (lambda row: "", "Row 'a': The prompt is empty"),
    ],
)
def test_a_prompt_that_fails_names_its_row_and_nothing_is_sent(session, server, prompt, why):
    with pytest.raises(InputError, match=why):
        ask_each(FRAME, prompt, session=session)
    assert server.received == []


def test_arguments_are_checked_as_those_of_a_chat(session, server):
    for wrong in ({"modell": "x"}, {"temperature": 3}, {"model": 3}, {"cases": 1}, {"session": "x"}):
        with pytest.raises((OptionError, InputError, TypeError)):
            ask_each(FRAME, "{text}", **{"session": session, **wrong})
    assert server.received == []


def test_more_than_the_limit_asks_for_go(session, server):
    with pytest.raises(OptionError, match="120 requests"):
        ask_each(range(120), "{row}", session=session)
    assert len(ask_each(range(120), "{row}", session=session, go=True)) == 120
    assert len(server.received) == 120


def test_threads_ask_at_once(session, server):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: ask_each([f"{n}.{k}" for k in range(5)], "{row}", session=session), range(4)))
    assert [[r.text for r in rows] for rows in found] == [[f"about {n}.{k}" for k in range(5)] for n in range(4)]
    assert len(server.received) == 20


def test_models_over_cases_from_python(session, server):
    found = compare(
        ["gpt-5.5", "gpt-5.4"], "{text}", each=FRAME, check=lambda reply, case: case.n == 1, session=session
    )
    assert isinstance(found, Evaluation)
    assert [m.score.mean for m in found.models] == [0.5, 0.5]
    assert len(server.received) == 4
    compare(["gpt-5.5", "gpt-5.4"], "{text}", each=FRAME, session=session)
    assert len(server.received) == 4
    compare(["gpt-5.5", "gpt-5.4"], "{text}", each=FRAME, session=session, fresh=True)
    assert len(server.received) == 8


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"check": len}, "check needs many cases"),
        ({"each": FRAME, "repeat": 2}, "repeat does not go together with each"),
        ({"prompt": str}, "A prompt can be a function only together with each"),
        ({"each": FRAME, "check": "len"}, "A check is a function"),
    ],
)
def test_what_does_not_go_together_is_refused(session, server, arguments, why):
    with pytest.raises(OptionError, match=why):
        compare(["gpt-5.5", "gpt-5.4"], **{"prompt": "{text}", "session": session, **arguments})
    with pytest.raises(OptionError, match="An attachment"):
        compare(["gpt-5.5", "gpt-5.4"], "{text}", 3, each=FRAME, session=session)
    assert server.received == []


# Elsewhere


def about(partition: list[str]) -> list[str]:
    """What a worker does: a plain function of its part."""
    return [row.text for row in ask_each(partition, "{row}")]


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_worker_processes_ask_about_their_parts(server, monkeypatch, start):
    monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
    parts = [["a", "b"], ["c", "d"], ["e"]]
    with ProcessPoolExecutor(2, mp_context=get_context(start)) as pool:
        found = list(pool.map(about, parts))
    assert found == [[f"about {text}" for text in part] for part in parts]
    assert sorted(server.prompts()) == ["a", "b", "c", "d", "e"]


def test_dask_workers_ask_about_their_partitions(server, monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = client.gather(client.map(about, [["a", "b"], ["c"]]))
    assert found == [["about a", "about b"], ["about c"]]


def test_a_killed_process_pays_nothing_twice_but_what_was_on_its_way(server, tmp_path):
    """It is killed at the tenth answer; run again, it asks what was not answered."""
    code = textwrap.dedent("""
        import os, signal, sys
        from xcyq_magic import api
        from xcyq_magic.session.cases import cases_of
        from xcyq_magic.session.asking import Asking
        from xcyq_magic.session.session import ChatSession
        from xcyq_magic.session.settings import ChatSettings
        from xcyq_magic.session.turn import TurnOptions
        from xcyq_magic.chat.messages import Message

        session = ChatSession(chat=ChatSettings(store=sys.argv[2]))
        cases = cases_of(range(40), "x", 100)
        asking = Asking(session, cases, lambda c: Message.of("user", f"{c.value}"), TurnOptions())
        def paint(progress):
            if progress.done >= int(sys.argv[1]):
                os.kill(os.getpid(), signal.SIGKILL)
        asking.ask(paint)
    """)
    env, store = {**os.environ, "XCYQ_BASE_URL": server.base_url}, str(tmp_path / "kept.sqlite")
    first = subprocess.run([sys.executable, "-c", code, "10", store], env=env, check=False)
    assert first.returncode == -9
    sent = len(server.received)
    assert 10 <= sent <= 40
    subprocess.run([sys.executable, "-c", code, "99", store], env=env, check=True)
    twice = len(server.received) - 40
    assert twice <= 8  # as many as there are slots
    assert len(set(server.prompts())) == 40


def test_what_a_cell_would_say_of_the_cases_is_a_warning(session):
    session.chat.each_limit = 3
    with pytest.warns(
        UserWarning, match=r"has no length, so only its first 3 items were taken \(ChatSettings.each_limit\)"
    ) as told:
        assert len(ask_each((f"g {n}" for n in range(9)), "{row}", session=session)) == 3
    assert told[0].filename == __file__
    with pytest.warns(UserWarning, match="All rows make the same request, so it is sent once") as told:
        compare("gpt-5.5 claude-opus-4-7", "hello", each=["a", "b"], session=session)
    assert told[0].filename == __file__
