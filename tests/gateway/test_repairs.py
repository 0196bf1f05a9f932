"""Parameters that a model does not take: repaired once, told, and remembered where the gateway says never."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from servers import DONE, RawServer, delta, http

from xcyq_magic import errors
from xcyq_magic.chat.conversation import Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.gateway.refusals import status_error
from xcyq_magic.gateway.repairs import Repair, Repairs, repair_for
from xcyq_magic.session.turn import TurnOptions

if TYPE_CHECKING:
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Outcome

GPT, CLAUDE, OPUS = "gpt-5.5-official", "claude-sonnet-4-6", "claude-opus-4-7"
RENAME = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
NO_TEMPERATURE = (
    "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported."
)
NO_TOP_P = "Unsupported parameter: 'top_p' is not supported with this model."
NO_STOP = "Unsupported parameter: 'stop' is not supported with this model."
BOTH = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
DEPRECATED = "`temperature` is deprecated for this model."
NO_VALUE = (
    "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. "
    "Supported values are: 'low', 'medium', and 'high'."
)
RANGE = "temperature: range: 0..1"
WHOLE = http(delta("Hello") + delta("", "stop") + DONE, kind="text/event-stream")


def refusal(message: str, param: str | None = None, code: str | None = None) -> dict:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def refuse(message: str, param: str | None = None) -> bytes:
    return http(json.dumps(refusal(message, param)), "400 Bad Request")


def repair(message: str, body: dict, param: str | None = None, code: str | None = None) -> Repair | None:
    error = status_error(400, json.dumps(refusal(message, param, code)).encode())
    assert isinstance(error, errors.BadRequestError)
    return repair_for(error, {"model": GPT, "messages": [], "stream": True, **body})


SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
OURS = Repair("stream_options", None, always=True, silent=True)
ALL = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 9,
    "stop": ["END"],
    "stream_options": {"include_usage": True},
    "seed": 1,
    "reasoning_effort": "minimal",
    "response_format": SCHEMA,
}
LEFT_OUT = {name: Repair(name, None, always=True) for name in ALL}
RENAMED = Repair("max_tokens", "max_completion_tokens", always=True)


# What the words ask for


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (RENAME, RENAMED),
        (NO_TEMPERATURE, Repair("temperature", None, always=True)),
        (NO_TOP_P, Repair("top_p", None, always=True)),
        (NO_STOP, Repair("stop", None, always=True)),
        (BOTH, Repair("top_p", None, always=False)),
        (DEPRECATED, Repair("temperature", None, always=True)),
        (DEPRECATED.replace("temperature", "top_p"), Repair("top_p", None, always=True)),
        (NO_VALUE, Repair("reasoning_effort", None, always=False)),
        ("gpt-5 models don't support temperature=0.5. Only temperature=1 is supported", LEFT_OUT["temperature"]),
        ("This model does not support the parameter `top_p`.", LEFT_OUT["top_p"]),
        ("Error from upstream: 'stop' is no longer supported by this model", LEFT_OUT["stop"]),
        ("seed: Extra inputs are not permitted", LEFT_OUT["seed"]),
        ("TypeError: create() got an unexpected keyword argument 'seed'", LEFT_OUT["seed"]),
        ("Unsupported parameters: 'stop', 'top_p'.", LEFT_OUT["stop"]),
        ("max_tokens is deprecated in favor of max_completion_tokens.", RENAMED),
        ("`max_tokens` is not supported by this model, please use `max_completion_tokens` instead.", RENAMED),
        ("Please specify only one of `temperature` or `top_p`.", Repair("top_p", None, always=False)),
        ("'stop' and 'seed' are mutually exclusive", Repair("seed", None, always=False)),
        ("You can't use top_p together with temperature.", Repair("temperature", None, always=False)),
        ("`top_p` is deprecated for this model. Use `stop` instead.", LEFT_OUT["top_p"]),
        ("Unknown parameter: 'seed'.", Repair("seed", None, always=True)),
        ("Unknown parameter: 'stream_options'.", OURS),
        ("stream_options: Extra inputs are not permitted", OURS),
        (
            "Unrecognized request argument supplied: stream_options",
            OURS,
        ),
        ("The stream_options option is not supported", OURS),
        ('Unsupported parameter: "stop" is not supported with this model.', Repair("stop", None, always=True)),
    ],
)
def test_a_message_names_what_to_change(message, expected):
    assert repair(message, ALL) == expected


def test_the_param_of_the_error_names_it_where_its_words_do_not():
    assert repair("This is not supported here.", ALL, param="stop") == LEFT_OUT["stop"]
    assert repair("The parameter is not supported with this model.", ALL, param="seed") == LEFT_OUT["seed"]
    assert repair("Invalid.", ALL, param="stop", code="unsupported_parameter") == LEFT_OUT["stop"]


# What a request with another value, or another schema, would mend: leaving it out would buy something else.
VALUES = [
    RANGE,
    "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-sonnet-4-6",
    "max_tokens is too large: 100000. This model supports at most 8192 completion tokens, whereas you provided 100000.",
    "Unsupported parameter: 'max_tokens' is not supported with this model.",
    "Unsupported value: 'max_tokens' does not support 100000 with this model.",
    "Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required to be false.",
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "Unsupported value: 'response_format' does not support 'json_schema' with this model.",
    "'response_format.type' is not supported with this model",
    "Invalid value: 'minimal'. Supported values are: 'low', 'medium', and 'high'.",
    "Invalid value for 'reasoning_effort': 'minimal' is not supported with this model.",
    "reasoning_effort is not supported: must be one of low, medium, high",
    "Values over 1 for `temperature` are not supported with this model.",
    "The value of 'temperature' is not allowed.",
    "`temperature` is not allowed to be greater than 1.",
    "`temperature` may only be set to 1 when thinking is enabled.",
    "temperature is not supported with this model when thinking is enabled",
    "While thinking is enabled, 'stop' is not supported with this model.",
    "`stop` and `max_tokens` cannot both be specified for this model.",
    "temperature and top_p must both be numbers",
    "Invalid 'stop': array too long. Expected an array with maximum length 4, but got 5.",
    "'stop[0]' is not supported with this model",
    "Invalid type for 'seed': expected an integer, but got a string instead.",
    "Invalid 'temperature', 'top_p', 'max_tokens', 'stop', 'seed'",
    "Invalid 'stop'. Use 'END' instead",
]


@pytest.mark.parametrize("message", VALUES)
def test_a_value_that_is_refused_is_the_users_to_change(message):
    assert repair(message, ALL) is None


@pytest.mark.parametrize("message", [NO_STOP, DEPRECATED, RENAME, BOTH, "Invalid.", "This is not supported: 'top_k'."])
@pytest.mark.parametrize("param", ["top_k", "seed", "messages", "response_format.json_schema"])
def test_where_param_names_another_field_nothing_is_repaired(message, param):
    assert repair(message, ALL, param=param) is None


@pytest.mark.parametrize("instead", ["`temperature`", "`stop`", "'stream'", "defaults", "that"])
def test_a_value_does_not_travel_under_the_name_of_another_field(instead):
    message = f"`top_p` is deprecated for this model. Use {instead} instead."
    assert repair(message, {"top_p": 0.5}) == LEFT_OUT["top_p"]


def test_one_of_two_that_exclude_each_other_is_not_left_out_where_it_is_alone():
    assert repair(BOTH, {"temperature": 0.5}) is None


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Bad request", None),
        ("", None),
        ("'messages' must be a non-empty array.", "messages"),
        ("you must provide a model parameter", "model"),
        ("'stream' is not supported", "stream"),
        ("`top_k` is deprecated for this model.", "top_k"),
        ("Invalid value for 'messages[0].role'", "messages[0].role"),
        ("prompt is too long: 210000 tokens > 200000 maximum", None),
    ],
)
def test_a_message_that_names_nothing_of_ours_asks_for_nothing(message, param):
    assert repair(message, ALL, param) is None


@pytest.mark.parametrize("message", [RENAME, NO_TEMPERATURE, NO_TOP_P, NO_STOP, BOTH, DEPRECATED, RANGE])
def test_what_was_not_sent_is_not_repaired(message):
    assert repair(message, {}) is None


def test_a_name_that_is_there_already_is_not_overwritten():
    assert repair(RENAME, {"max_tokens": 9, "max_completion_tokens": 20}) is None


def test_a_repair_changes_only_its_parameter():
    assert Repair("max_tokens", "max_completion_tokens", always=True).apply({"a": 1, "max_tokens": 9}) == {
        "a": 1,
        "max_completion_tokens": 9,
    }
    assert Repair("stop", None, always=True).apply({"a": 1, "stop": ["END"]}) == {"a": 1}


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Repair("max_tokens", "max_completion_tokens", always=True), "sent as max_completion_tokens"),
        (Repair("stop", None, always=True), "left out"),
    ],
)
def test_a_repair_is_told_with_model_and_parameter(known, words):
    notice = known.notice(GPT)
    assert GPT in notice
    assert known.name in notice
    assert words in notice


def test_what_the_user_did_not_set_is_not_told():
    assert OURS.notice(GPT) is None


def test_what_is_known_belongs_to_one_model():
    repairs = Repairs()
    repairs.remember("here", GPT, Repair("stop", None, always=True))
    repairs.remember("here", CLAUDE, Repair("top_p", None, always=False))
    assert repairs.apply("here", GPT, {"stop": 1, "top_p": 1}) == ({"top_p": 1}, [Repair("stop", None, always=True)])
    assert repairs.apply("here", CLAUDE, {"stop": 1, "top_p": 1}) == ({"stop": 1, "top_p": 1}, [])
    assert repairs.apply("here", GPT, {"seed": 1}) == ({"seed": 1}, [])
    assert repairs.apply("elsewhere", GPT, {"stop": 1}) == ({"stop": 1}, [])  # another gateway may take it


# Over a socket, through a session


def ask(session: ChatSession, model: str, **parameters) -> Outcome:
    return session.ask(Message.of("user", "Hello"), TurnOptions(model=model, parameters=Parameters(**parameters)))


def sent(server: RawServer, n: int) -> dict:
    """The parameters of a request."""
    return {k: v for k, v in server.requests[n].json.items() if k not in {"model", "messages", "stream"}}


USAGE = {"stream_options": {"include_usage": True}}


@dataclass(frozen=True)
class Case:
    """A refusal, what the next request holds instead, what is told, and whether it is remembered."""

    model: str
    message: str
    parameters: dict
    then: dict
    told: tuple[str, ...]
    always: bool
    param: str | None = None
    extra: dict = field(default_factory=lambda: dict(USAGE))


CASES = {
    "max_tokens renamed": Case(
        GPT,
        RENAME,
        {"max_tokens": 9},
        {"max_completion_tokens": 9},
        ("max_tokens", "sent as max_completion_tokens"),
        always=True,
        param="max_tokens",
    ),
    "temperature dropped": Case(
        GPT,
        NO_TEMPERATURE,
        {"temperature": 0.5, "max_tokens": 9},
        {"max_tokens": 9},
        ("temperature", "left out"),
        always=True,
    ),
    "top_p dropped": Case(GPT, NO_TOP_P, {"top_p": 0.5}, {}, ("top_p", "left out"), always=True),
    "stop dropped": Case(GPT, NO_STOP, {"stop": ("END",)}, {}, ("stop", "left out"), always=True),
    "both": Case(
        CLAUDE, BOTH, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p", "left out"), always=False
    ),
    "deprecated": Case(OPUS, DEPRECATED, {"temperature": 0.5}, {}, ("temperature", "left out"), always=True),
    "a value": Case(
        GPT,
        NO_VALUE,
        {"reasoning_effort": "minimal"},
        {},
        ("reasoning_effort", "left out"),
        always=False,
        param="reasoning_effort",
    ),
    "by param alone": Case(
        CLAUDE,
        "This is not supported.",
        {"temperature": 0.5},
        {},
        ("temperature", "left out"),
        always=True,
        param="temperature",
    ),
    "stream_options": Case(
        GPT, "Unknown parameter: 'stream_options'.", {"seed": 1}, {"seed": 1}, (), always=True, extra={}
    ),
    "stream_options without quotation marks": Case(
        GPT, "Unrecognized request argument supplied: stream_options", {}, {}, (), always=True, extra={}
    ),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def parameters_of(case: Case) -> dict:
    own = {"temperature", "top_p", "max_tokens", "stop"}
    named = {k: v for k, v in case.parameters.items() if k in own}
    return {**named, "extra": {k: v for k, v in case.parameters.items() if k not in own}}


@cases
def test_a_refused_parameter_is_repaired_once_and_told(gateway, case):
    session, server = gateway(refuse(case.message, case.param), WHOLE)
    outcome = ask(session, case.model, **parameters_of(case))
    assert outcome.error is None
    assert outcome.completion.text == "Hello"
    assert len(server.requests) == 2
    assert set(sent(server, 0)) == {*case.parameters, "stream_options"}
    assert sent(server, 1) == {**case.then, **case.extra}
    if case.told:
        (notice,) = outcome.reply.notices
        assert all(word in notice for word in (case.model, *case.told))
    else:
        assert outcome.reply.notices == []
    assert outcome.reply.retry is None


@cases
def test_what_a_model_never_takes_is_remembered_for_it_alone(gateway, case):
    refused, other = refuse(case.message, case.param), "gemini-2.5-pro"
    if case.always:
        session, server = gateway(refused, WHOLE)
    else:
        session, server = gateway(refused, WHOLE, refused, WHOLE)
    first = ask(session, case.model, **parameters_of(case))
    before = len(server.requests)
    again = ask(session, case.model, **parameters_of(case))
    assert (first.error, again.error) == (None, None)
    assert len(server.requests) - before == (1 if case.always else 2)
    assert sent(server, -1) == {**case.then, **case.extra}
    assert again.reply.notices == first.reply.notices
    assert ask(session, other, **parameters_of(case)).error is None
    assert set(sent(server, -1)) == {*case.parameters, "stream_options"}


def test_several_parameters_are_repaired_one_by_one(gateway):
    session, server = gateway(refuse(RENAME), refuse(NO_TEMPERATURE), refuse(NO_STOP), WHOLE)
    parameters = {"max_tokens": 9, "temperature": 0.5, "stop": ("END",)}
    outcome = ask(session, GPT, **parameters)
    assert outcome.error is None
    assert len(server.requests) == 4
    assert sent(server, 3) == {"max_completion_tokens": 9, **USAGE}
    assert len(outcome.reply.notices) == 3
    assert ask(session, GPT, **parameters).error is None
    assert sent(server, 4) == {"max_completion_tokens": 9, **USAGE}


def test_a_repair_is_not_one_of_the_three_attempts(gateway):
    busy = http(json.dumps(refusal("busy")), "429 Too Many Requests", Retry_After_Ms="1")
    session, server = gateway(busy, refuse(NO_STOP), busy, WHOLE)
    outcome = ask(session, GPT, stop=("END",))
    assert (outcome.error, outcome.completion.text) == (None, "Hello")
    assert len(server.requests) == 4


def test_a_turn_remembers_what_the_user_set(gateway):
    session, _ = gateway(refuse(NO_STOP), WHOLE)
    assert ask(session, GPT, stop=("END",)).turn.parameters == Parameters(stop=("END",))


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Bad request", None),
        ("'messages' is too long", "messages"),
        ("`top_k` is unknown", "top_k"),
        (VALUES[1], None),
        (VALUES[5], "response_format"),
        (RANGE, "temperature"),
    ],
)
def test_a_refusal_that_asks_for_no_repair_is_an_error_after_one_request(gateway, message, param):
    session, server = gateway(refuse(message, param), WHOLE)
    outcome = ask(session, GPT, temperature=0.5, max_tokens=100_000, extra={"response_format": SCHEMA})
    assert type(outcome.error) is errors.BadRequestError
    assert message in outcome.error.message
    assert len(server.requests) == 1
    assert outcome.reply.notices == []


@pytest.mark.parametrize("status", ["405 Method Not Allowed", "403 Forbidden", "404 Not Found"])
def test_another_status_is_not_repaired(gateway, status):
    session, server = gateway(http(json.dumps(refusal(NO_STOP)), status), WHOLE)
    assert isinstance(ask(session, GPT, stop=("END",)).error, errors.StatusError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([NO_STOP], id="the same again"),
        pytest.param([RENAME], id="renamed, and named again"),
        pytest.param([RENAME, "'max_completion_tokens' is unknown. Use 'limit' instead."], id="the new name neither"),
        pytest.param(["Use 'max_tokens' instead of 'max_completion_tokens'", RENAME] * 4, id="to and fro"),
        pytest.param(["Invalid 'temperature', 'top_p', 'max_tokens', 'stop', 'seed'"], id="everything"),
    ],
)
def test_a_gateway_that_keeps_refusing_ends(gateway, answers):
    session, server = gateway(*map(refuse, answers))
    outcome = ask(session, GPT, temperature=0.5, top_p=0.5, max_tokens=9, stop=("END",), extra={"seed": 1})
    assert type(outcome.error) is errors.BadRequestError
    assert len(server.requests) <= 7  # once for each parameter, stream_options too
    assert outcome.turn is None


def test_a_repair_that_was_refused_as_well_is_not_remembered(gateway):
    session, server = gateway(refuse(RENAME), refuse("Unknown parameter: 'max_completion_tokens'."), WHOLE)
    assert isinstance(ask(session, GPT, max_tokens=9).error, errors.BadRequestError)
    assert len(server.requests) == 2
    assert ask(session, GPT, max_tokens=9).error is None
    assert sent(server, -1) == {"max_tokens": 9, **USAGE}


# Words of further gateways

ASKED = {"model": GPT, "messages": [], "temperature": 0.2}
NEVER_TAKEN = [
    "litellm.UnsupportedParamsError: gpt-5 models don't support temperature=0.2. Only temperature=1 is supported.",
    "openai does not support parameters: ['temperature'], for model=gpt-5.5. To drop these, set `litellm.drop_params`.",
    "Malformed input request: #: extraneous key [temperature] is not permitted, please reformat your input.",
    "Argument not supported on this model: temperature",
    "Temperature is not supported for reasoning models.",
    "Unsupported value: temperature does not support 0.2 with this model. Only the default (1) value is supported.",
    "temperature: Extra inputs are not permitted",
]


LITELLM = "litellm.UnsupportedParamsError: gpt-5.5 "
UNLESS = "unless reasoning_effort resolves to 'none', either set explicitly or as the model's default_reasoning_effort."
NOT_NOW = [
    f"{LITELLM}doesn't support temperature=0.2 while reasoning is active. Only temperature=1 is supported {UNLESS}",
    f"{LITELLM}does not support temperature=0.2 while it reasons. Only temperature=1 is supported.",
    f"{LITELLM}does not support temperature=0.2. Only temperature=1 is supported {UNLESS}",
    f"{LITELLM}only supports logprobs, temperature, top_logprobs when reasoning_effort resolves to 'none'.",
    f"{LITELLM}only supports temperature when reasoning_effort resolves to 'none'.",
]


@pytest.mark.parametrize("words", NOT_NOW)
def test_what_a_model_refuses_on_a_condition_is_left_out_this_time(words):
    error = status_error(400, json.dumps({"error": {"message": words}}).encode())
    assert repair_for(error, ASKED) == Repair("temperature", None, always=False)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("words", NEVER_TAKEN)
def test_the_words_of_any_gateway_are_understood(words, status):
    error = status_error(status, json.dumps({"error": {"message": words}}).encode())
    assert repair_for(error, ASKED) == Repair("temperature", None, always=True)


def test_the_path_to_a_field_names_it():
    body = {"detail": [{"loc": ["body", "temperature"], "msg": "Extra inputs are not permitted", "type": "extra"}]}
    assert repair_for(status_error(422, json.dumps(body).encode()), ASKED) == Repair("temperature", None, always=True)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"max_tokens": 900}, "Unsupported parameter: 'max_tokens' is not supported. Use 'n' instead."),
        (
            {"tool_choice": "x", "tools": [1]},
            "Invalid value for 'tool_choice': with 'tools' it takes exactly one of 'auto', 'none'.",
        ),
        ({"top_p": 2}, "temperature and top_p: values over 1 are not allowed for both."),
        ({"store": True}, "Both temperature and store cannot be processed because your account is elsewhere."),
        ({"user": "joe"}, "The user is not permitted."),
        ({"stop": ["a"]}, "invalid value: stop must be shorter"),
    ],
)
def test_nothing_is_dropped_or_renamed_by_guess(sent, words):
    error = status_error(400, json.dumps({"error": {"message": words}}).encode())
    assert repair_for(error, {**ASKED, **sent}) is None


def test_a_name_that_has_nothing_in_common_is_no_new_name():
    words = "Unsupported parameter: 'top_k'. Also, 'max_tokens' is old: use 'max_completion_tokens' instead."
    error = status_error(400, json.dumps({"error": {"message": words}}).encode())
    assert repair_for(error, {**ASKED, "top_k": 5}) == Repair("top_k", None, always=True)


def test_what_the_user_set_is_not_dropped_without_a_word():
    error = status_error(400, b'{"error": {"message": "stream_options is not supported"}}')
    repair = repair_for(error, {**ASKED, "stream_options": {"include_usage": False}})
    assert repair is not None
    assert "stream_options" in repair.notice(GPT)
