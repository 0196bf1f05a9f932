"""A chain of models: who is asked next and when, and what is said and kept of it."""

from __future__ import annotations

import base64
import io

import PIL.Image
import pytest
from pictures import part_of
from servers import DONE, USAGE, Answer, RawServer, ScriptedServer, chunked, delta, http
from traitlets import TraitError

from xcyq_magic import Chat, ask_each, compare
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Video
from xcyq_magic.display.bundle import turn_bundle
from xcyq_magic.display.caption import live_caption, state_line
from xcyq_magic.display.settled_comparison import comparison_bundle
from xcyq_magic.display.settled_rows import rows_bundle
from xcyq_magic.errors import (
    AnswerError,
    AuthenticationError,
    BadRequestError,
    GatewayError,
    IncompleteReplyError,
    NotFoundError,
    NotReachedError,
    OptionError,
    RequestError,
    ServerError,
)
from xcyq_magic.session.comparing import compare as compare_in
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions, retry
from xcyq_magic.store.formats import ipynb

A, B, C = "claude-opus-4-7-official", "claude-opus-4-7", "claude-opus-4-7-fd"
ABC = "claude-opus-4-7{-official,,-fd}"
NO_CHANNEL = '{"error": {"message": "No available channel for model m under group default"}}'
OK = chunked(delta("Hello", "stop"), USAGE, DONE)


@pytest.fixture
def gateway():
    """Begin a gateway whose models answer by a table, and a session that asks it."""
    opened = []

    def begin(table=None, silence=30.0, rest=60.0, **settings):
        by_model = {A: 503, B: "from B", C: "from C"} | (table or {})

        def answer(_, body):
            found = by_model[body["model"]]
            return (found, {}) if isinstance(found, int) else found

        server = ScriptedServer(answer)
        gateway = GatewaySettings(
            base_url=server.base_url,
            fallback_after_silence=silence,
            fallback_rest=rest,
            prices={A: (10, 10), B: (1_000_000, 1_000_000)},
        )
        session = ChatSession(gateway, ChatSettings(store=":memory:", **settings))
        opened.extend([session.close, server.close])
        server.by_model = by_model
        return session, server

    yield begin
    for close in opened:
        close()


@pytest.fixture
def raw():
    """Begin a server of these answers, and a session that asks it."""
    opened = []

    def begin(*answers, **settings):
        server = RawServer(list(answers))
        session = ChatSession(GatewaySettings(base_url=server.base_url, **settings), ChatSettings(store=":memory:"))
        opened.extend([session.close, server.close])
        return session, server

    yield begin
    for close in opened:
        close()


def models_of(server) -> list[str]:
    bodies = [r.json for r in server.requests] if isinstance(server, RawServer) else server.received
    return [body["model"] for body in bodies]


# When the next one is asked


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(NO_CHANNEL, "503 Service Unavailable"), "had no channel"),
        (http(NO_CHANNEL, "429 Too Many Requests"), "had no channel"),
        (http("{}", "500 Internal Server Error"), "failed with 500"),
        (http("<html><title>Bad gateway</title>", "502 Bad Gateway", "text/html"), "failed with 502"),
        (http("{}", "524 A Timeout Occurred"), "failed with 524"),
        (http("{}", "429 Too Many Requests", Retry_After="60"), "was over its limit for 60 s"),
        (http("{}", "429 Too Many Requests", Retry_After="600"), "was over its limit"),
        (http('{"error": {"code": "insufficient_quota"}}', "429 Too Many Requests"), "was over its limit"),
        (http('{"error": {"message": "The model `m` does not exist"}}', "404 Not Found"), "had no channel"),
        (http('{"error": {"message": "Invalid model name passed in model=m"}}', "400 Bad Request"), "had no channel"),
        (http('{"error": {"message": "m is not a valid model ID"}}', "400 Bad Request"), "had no channel"),
    ],
)
def test_the_next_is_asked_at_once_and_the_reply_says_why(raw, answer, why):
    session, server = raw(Answer(answer), Answer(OK))
    reply = Chat(f"{A},{B}", session=session)("Hello")
    assert models_of(server) == [A, B]
    assert (reply.text, reply.requested_model, reply.instead_of) == ("Hello", B, f"{A} {why}")


def test_a_whole_answer_that_was_refused_is_asked_of_the_next(raw):
    body = http('{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}')
    session, server = raw(Answer(http(NO_CHANNEL, "503 Service Unavailable")), Answer(body))
    assert Chat(f"{A},{B}", session=session)("Hello", stream=False).instead_of == f"{A} had no channel"
    assert models_of(server) == [A, B]


@pytest.mark.parametrize("then", ["close", "reset", "silence"])
def test_the_next_is_asked_where_no_byte_of_a_stream_comes(raw, then):
    session, server = raw(Answer(b"", then), Answer(OK), fallback_after_silence=0.1)
    reply = Chat(f"{A},{B}", session=session)("Hello")
    assert models_of(server) == [A, B]
    assert reply.instead_of == f"{A} {'was silent for 0.1 s' if then == 'silence' else 'could not be reached'}"


def test_a_status_line_alone_is_silence(raw):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    session, server = raw(Answer(head, "silence"), Answer(OK), fallback_after_silence=0.1)
    assert Chat(f"{A},{B}", session=session)("Hello").instead_of == f"{A} was silent for 0.1 s"
    assert models_of(server) == [A, B]


def test_after_the_first_byte_no_other_is_asked(raw):
    begun = chunked(b": ping\n\n", whole=False)
    session, server = raw(Answer(begun, "close"), Answer(OK), fallback_after_silence=0.1)
    with pytest.raises(IncompleteReplyError, match="broke off"):
        Chat(f"{A},{B}", session=session)("Hello")
    assert models_of(server) == [A]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http('{"error": {"message": "messages: too many"}}', "400 Bad Request"), BadRequestError),
        (http('{"error": {"message": "Incorrect API key"}}', "401 Unauthorized"), AuthenticationError),
        (http('{"error": {"message": "This key may not use model m"}}', "403 Forbidden"), AuthenticationError),
        (http('{"error": {"message": "no such page"}}', "404 Not Found"), NotFoundError),
        (http("<html><title>Welcome</title>", "200 OK", "text/html"), AnswerError),
    ],
)
def test_what_is_the_users_to_mend_is_not_asked_of_another(raw, answer, error):
    session, server = raw(Answer(answer), Answer(OK))
    with pytest.raises(error):
        Chat(f"{A},{B}", session=session)("Hello")
    assert models_of(server) == [A]


@pytest.mark.parametrize("answer", [http("{}", "504 Gateway Timeout"), b""])
def test_a_whole_answer_that_may_have_been_paid_for_is_not_asked_of_another(raw, answer):
    session, server = raw(Answer(answer, "close"), Answer(OK), fallback_after_silence=0.1)
    with pytest.raises(GatewayError, match="billed"):
        Chat(f"{A},{B}", session=session)("Hello", stream=False)
    assert models_of(server) == [A]


def test_a_whole_answer_is_waited_for_however_silent_the_server_is(raw):
    body = http('{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}')
    session, server = raw(Answer(body, cuts=(20,), pause_s=0.3), fallback_after_silence=0.1)
    assert Chat(f"{A},{B}", session=session)("Hello", stream=False).requested_model == A
    assert models_of(server) == [A]


def test_a_short_wait_is_waited_for_and_the_same_model_asked(raw):
    session, server = raw(Answer(http("{}", "429 Too Many Requests", Retry_After="0.01")), Answer(OK))
    reply = Chat(f"{A},{B}", session=session)("Hello")
    assert (models_of(server), reply.instead_of) == ([A, A], "")


def test_of_a_limit_that_stays_the_next_is_asked_after_the_usual_attempts(raw):
    short = Answer(http("{}", "429 Too Many Requests", Retry_After="0.01"))
    session, server = raw(short, short, short, Answer(OK))
    assert Chat(f"{A},{B}", session=session)("Hello").instead_of == f"{A} was over its limit"
    assert models_of(server) == [A, A, A, B]


def test_the_last_one_is_asked_as_often_as_one_alone_and_its_error_names_all(gateway):
    session, server = gateway({A: 503, B: (500, {"Retry-After": "0"})})
    with pytest.raises(ServerError) as failed:
        Chat(f"{A},{B}", session=session)("Hello")
    assert models_of(server) == [A, B, B, B]
    assert failed.value.message.startswith(f"{B}, for {A} failed with 503: The gateway refused with 500")


def test_no_server_at_all_is_said_once(gateway):
    session, server = gateway()
    server.close()
    with pytest.raises(NotReachedError, match="could not be reached"):
        Chat(f"{A},{B}", session=session)("Hello")


def test_without_a_comma_nothing_is_different(gateway):
    session, server = gateway({A: (503, {"Retry-After": "0"})})
    with pytest.raises(ServerError) as failed:
        Chat(A, session=session)("Hello")
    assert models_of(server) == [A] * 3
    assert failed.value.message == "The gateway refused with 503: no"
    assert session.resting() == {}
    reply = Chat(B, session=session)("Hello")
    assert not {"chain", "instead_of"} & reply.to_dict().keys()


# Who rests


def test_who_failed_is_passed_over_and_said(gateway):
    session, server = gateway()
    chat = Chat(f"{A},{B}", session=session)
    chat("One")
    assert [*session.resting()] == [A]
    assert session.resting()[A].startswith("failed with 503, ")
    assert chat("Two").instead_of == f"{A} rests (failed with 503)"
    assert models_of(server) == [A, B, B]


def test_who_failed_at_one_address_does_not_rest_at_another(gateway):
    session, _ = gateway()
    Chat(f"{A},{B}", session=session)("One")
    _, other = gateway({A: "from A"})
    session.gateway.base_url = other.base_url
    assert Chat(f"{A},{B}", session=session)("Two").text == "from A"


def test_after_its_rest_it_is_asked_again(gateway):
    session, server = gateway(rest=0.001)
    chat = Chat(f"{A},{B}", session=session)
    chat("One")
    server.by_model[A] = "from A"
    assert (chat("Two").text, session.resting()) == ("from A", {})


def test_where_all_others_fail_who_rests_is_asked(gateway):
    session, server = gateway()
    chat = Chat(f"{A},{B}", session=session)
    chat("One")
    server.by_model |= {A: "from A", B: (503, {"Retry-After": "0"})}
    reply = chat("Two")
    assert (reply.text, reply.instead_of) == ("from A", f"{B} failed with 503")
    assert models_of(server) == [A, B, B, B, B, A]
    assert [*session.resting()] == [B]  # who answered does not rest any more


def test_where_all_rest_they_are_asked_in_their_order(gateway):
    session, server = gateway({B: (503, {"Retry-After": "0"})})
    chat = Chat(f"{A},{B}", session=session)
    with pytest.raises(ServerError):
        chat("One")
    server.by_model[A] = "from A"
    assert (chat("Two").text, chat("Three").text) == ("from A", "from A")
    assert models_of(server)[4:] == [A, A]


# Where a chain can stand


@pytest.mark.parametrize("model", [f"{A},{B}", ABC, f"{A}, {B}", f"{A},{B},{A}", "claude-opus-4-7{-official,},gpt-5.5"])
def test_how_a_chain_is_written(gateway, model):
    session, server = gateway()
    assert Chat(model, session=session)("Hello").text == "from B"
    session.choose(model=model)
    assert session.ask(Message.of("user", "Hello")).completion.requested_model == B
    named = ChatSettings(store=":memory:", model=model).model.split(",")
    assert named[:2] == [A, B]
    assert len({*named}) == len(named)
    assert not set(" {}") & {*"".join(named)}
    assert models_of(server) == [A, B, B]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (f"{A},", "one is missing"),
        (f"{A},,{B}", "one is missing"),
        (f"{A},two words", "'two words' is not one"),
        (f"{A},claude-*", r"'claude-\*' is not one"),
        (f"{A}{{,-fd", "has no partner"),
        (f"{A},{{name}}", "no comma"),
    ],
)
def test_what_is_no_chain_is_refused_before_anything_is_sent(gateway, model, said):
    session, server = gateway()
    with pytest.raises(OptionError, match=said) as refused:
        Chat(model, session=session)("Hello")
    assert "nothing was sent" in str(refused.value)
    assert server.received == []
    with pytest.raises(TraitError, match="For example"):
        ChatSettings(model=model)


def test_an_unknown_name_in_a_chain_is_remarked_on(gateway):
    session, _ = gateway({"claude-opus-47": 503})
    outcome = session.ask(Message.of("user", "Hello"), TurnOptions(model=f"claude-opus-47,{B}"))
    assert outcome.completion.text == "from B"
    assert "claude-opus-47 is not in the catalogue" in outcome.reply.notices[0]


def test_a_column_of_a_comparison_can_be_a_chain_and_braces_are_columns(gateway):
    session, _ = gateway()
    comparison = compare([f"{A},{B}", C], "Hello", session=session)
    one, other = comparison.columns
    assert (one.name, one.model, one.text, one.completion.instead_of) == (
        f"{A},{B}",
        B,
        "from B",
        f"{A} failed with 503",
    )
    assert (one.cost, other.name) == (15.0, C)
    assert [c.name for c in compare(ABC, "Hello", session=session).columns] == [A, B, C]
    with pytest.raises(OptionError, match="chain, of which one model answers"):
        compare([f"{A},{B}"], "Hello", session=session)


def test_a_judge_can_be_a_chain(gateway):
    session, _ = gateway({B: "BEST: 1"})
    verdict = compare(f"{B} {C}", "Hello", judge=f"{A},{B}", session=session).verdict
    assert (verdict.model, verdict.error, verdict.winner is None) == (B, None, False)


def test_rows_are_asked_of_who_answers_and_paid_at_its_price(gateway):
    session, server = gateway(concurrency=1)
    rows = ask_each(range(4), "{row}", model=f"{A},{B}", session=session)
    assert [r.completion.requested_model for r in rows] == [B] * 4
    assert rows.cost == 60.0
    assert models_of(server) == [A, B, B, B, B]
    assert f"{A},{B} (4 by {B})" in rows_bundle(rows)["text/html"]


def test_a_typed_answer_is_asked_again_of_the_model_that_answered(raw):
    session, server = raw(
        Answer(http("{}", "503 Service Unavailable")),
        Answer(chunked(delta("no number", "stop"), DONE)),
        Answer(chunked(delta("7", "stop"), DONE)),
    )
    assert Chat(f"{A},{B}", session=session)("How many?", as_=int).data == 7
    assert models_of(server) == [A, B, B]


# What goes along


def test_each_model_gets_pictures_that_fit_it(gateway):
    session, server = gateway({"gpt-5.5": 503, B: "from B"})
    prompt = Message.of("user", part_of(PIL.Image.new("RGB", (2500, 20))), "What is it?")
    reply = session.ask(prompt, TurnOptions(model=f"gpt-5.5,{B}")).reply
    urls = [body["messages"][0]["content"][0]["image_url"]["url"] for body in server.received]
    widths = [PIL.Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).width for url in urls]
    assert widths == [2048, 2500]
    assert reply.prompt.images[0].width == 2500


FILM = Video(b"film", "video/mp4", "film.mp4")


def test_a_model_that_takes_no_video_is_passed_over_with_a_notice(gateway):
    session, server = gateway({"gemini-2.5-pro": "seen"})
    film = Message.of("user", FILM, "What is in it?")
    outcome = session.ask(film, TurnOptions(model=f"{B},gemini-2.5-pro"))
    assert outcome.reply.notices[0] == f"{B} takes no video, so it is passed over."
    assert models_of(server) == ["gemini-2.5-pro"]
    with pytest.raises(RequestError, match=f"{A} takes no video, so nothing was sent"):
        session.ask(film, TurnOptions(model=f"{A},{B}"))


# What is kept


def test_the_turn_says_why_and_a_retry_asks_the_chain_again(gateway):
    session, server = gateway(rest=0.001)
    outcome = session.ask(Message.of("user", "Hello"), TurnOptions(model=ABC))
    shown = turn_bundle(outcome)
    assert f"{B}, for {A} failed with 503" in shown["text/html"]
    record = shown["application/vnd.xcyq.turn+json"]["completion"]
    assert (record["chain"], record["instead_of"]) == (f"{A},{B},{C}", f"{A} failed with 503")
    server.by_model[A] = "from A"
    again = retry(session.conversations, session.reply)
    assert (again.completion.requested_model, again.completion.chain) == (A, f"{A},{B},{C}")


def test_a_kept_reply_is_found_by_the_chain_that_fell_over_and_not_by_the_first_alone(gateway):
    session, server = gateway(rest=0.001)
    kept = TurnOptions(model=f"{A},{B}", once=True, cached=True)
    ask = lambda options: session.ask(Message.of("user", "Hello"), options).completion  # noqa: E731
    ask(kept)
    again = ask(kept)
    assert (again.cached, again.requested_model, again.instead_of) == (True, B, f"{A} failed with 503")
    server.by_model[A] = "from A"
    alone = ask(TurnOptions(model=A, once=True, cached=True))
    assert (alone.cached, alone.text, alone.chain) == (False, "from A", "")
    now = ask(kept)  # the first one's own answer is the better one
    assert (now.cached, now.text, now.instead_of) == (True, "from A", "")
    assert models_of(server) == [A, B, A]


def test_what_the_first_of_a_chain_answered_is_found_by_it_alone(gateway):
    session, server = gateway({A: "from A"})
    prompt = Message.of("user", "Hello")
    for model in (f"{A},{B}", A, f"{A},{C}"):
        session.ask(prompt, TurnOptions(model=model, once=True, cached=True))
    assert models_of(server) == [A]


def test_the_preview_names_who_is_behind(gateway):
    session, _ = gateway()
    preview = session.preview(Message.of("user", "Hello"), TurnOptions(model=ABC))
    assert preview.body["model"] == A
    assert preview.notices[-1] == f"If it cannot answer, {B}, then {C} is asked."


def test_a_chain_goes_into_a_notebook_and_is_asked_by_its_cells(gateway):
    session, _ = gateway()
    outcome = session.ask(Message.of("user", "Hello"), TurnOptions(model=ABC))
    assert f"%%chat -m {A},{B},{C}" in ipynb.dumps(outcome.conversation, lambda _: {"text/plain": ""})


# What is seen


def test_the_live_line_says_who_is_asked_and_why(gateway):
    session, _ = gateway()
    seen = []
    session.ask(
        Message.of("user", "Hello"),
        TurnOptions(model=f"{A},{B}"),
        paint=lambda live: seen.append(live_caption(live[0])),
    )
    assert seen[0].startswith(f"{A} · ")
    assert seen[-1].startswith(f"{B}, for {A} failed with 503 · ")


def test_the_head_of_a_column_says_it_live_and_settled(gateway):
    session, _ = gateway()
    seen = []
    compared = compare_in(
        session, [f"{A},{B}", C], Message.of("user", "Hello"), paint=lambda live: seen.append(state_line(live[0], ""))
    )
    assert seen[-1].startswith(f"{B}, for {A} failed with 503 · done")
    assert f"{B}, for {A} failed with 503 · " in comparison_bundle(compared.comparison)["text/html"]


def test_a_failed_chain_says_it_in_its_line(gateway):
    session, _ = gateway({B: 400})
    outcome = session.ask(Message.of("user", "Hello"), TurnOptions(model=f"{A},{B}"))
    assert turn_bundle(outcome)["text/plain"].startswith(f"[{B}, for {A} failed with 503 · ")
    assert isinstance(outcome.error, BadRequestError)
