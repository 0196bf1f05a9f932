"""Values that no gateway and no file may give: whatever they are, no magic ends in a traceback and no turn is lost."""

from __future__ import annotations

import json

import pytest
from kernels import KEY
from servers import DONE, Answer, RawServer, event, http
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.chat.records import TURN_MIME
from xcyq_magic.errors import ConversationFileError

DIGITS = "9" * 5000
WRONG = {
    "negative": "-1",
    "a bool": "true",
    "a fraction": "1.5",
    "NaN": "NaN",
    "endless": "1e999",
    "400 digits": "1" + "0" * 400,
    "5000 digits": DIGITS,
    "text": '"12"',
    "a list": "[1]",
    "an object": '{"a": 1}',
    "nothing": "null",
    "half a character": '"\\ud800"',
    "a NUL": '"a\\u0000b"',
    "deep": "[" * 400 + "]" * 400,
}


def chunk(wrong: str) -> bytes:
    """A chunk with text, and everything else as it must not be."""
    usage = ", ".join(f'"{name}_tokens": {wrong}' for name in ("prompt", "completion", "total"))
    rest = f'"id": {wrong}, "created": {wrong}, "model": {wrong}, "usage": {{{usage}}}'
    choice = f'{{"index": 0, "delta": {{"content": "Hi"}}, "finish_reason": {wrong}}}'
    return f'data: {{"choices": [{choice}], {rest}}}\n\n'.encode()


def stream(*events: bytes) -> Answer:
    return Answer(http(b"".join(events) + DONE, kind="text/event-stream"))


PLAIN = event({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})


@pytest.fixture
def ask(monkeypatch, capsys):
    """Start a shell whose gateway gives these answers; returns a function that runs a cell."""
    opened = []

    def start(*answers: Answer):
        server = RawServer(list(answers))
        monkeypatch.setenv("XCYQ_BASE_URL", server.base_url)
        monkeypatch.setenv("XCYQ_API_KEY", KEY)
        context = shell_of()
        shell = context.__enter__()
        load_ipython_extension(shell)
        opened.append((server, context, shell))

        def run(code: str) -> str:
            capsys.readouterr()
            shell.run_cell(code).raise_error()
            return capsys.readouterr().out

        run.shell = shell
        return run

    yield start
    for server, context, shell in opened:
        unload_ipython_extension(shell)
        context.__exit__(None, None, None)
        server.close()


def use_everything(run, folder) -> None:
    """Whatever reads turns."""
    for line in (
        "%chat",
        "%chat_history",
        "%chat_history 1",
        "%chat_usage -o spent",
        "%chat_switch",
        "%chat_usage --all",
    ):
        run(line)
    run("frame = spent.to_frame()")
    run(f"%chat_save {folder}/chat.md")
    for suffix in ("json", "ipynb"):
        run(f"%chat_save {folder}/chat.{suffix}")
        run(f"%chat_load {folder}/chat.{suffix}")


def test_whatever_the_gateway_gives_the_reply_is_kept_and_every_magic_works(ask, tmp_path):
    run = ask(*(stream(chunk(wrong)) for wrong in WRONG.values()), stream(PLAIN))
    run("%config GatewaySettings.prices = {'*': (1.25, 10)}")
    for wrong in WRONG.values():
        shown = run("%%chat\nHello")
        assert "Hi" in shown
        assert "make no sense" not in shown  # kept, or used
        reply = run.shell.user_ns["_reply"]
        assert (reply.text, reply.created, reply.usage) == ("Hi", None, None)
        assert (reply.model == reply.requested_model, reply.id is None) == (not wrong.startswith('"'),) * 2
    use_everything(run, tmp_path)
    assert "make no sense" not in run("%%chat\nAnd now?")


def test_whatever_the_gateway_gives_a_comparison_is_shown(ask):
    run = ask(*(stream(chunk(wrong)) for wrong in WRONG.values()))
    run("%config GatewaySettings.prices = {'*': (1.25, 10)}")
    run("%config ChatSettings.compare_limit = 20")
    run(f"%%compare gpt-5.5 --repeat {len(WRONG)}\nHello")
    assert run.shell.user_ns["_comparison"].to_frame().prompt_tokens.isna().all()


@pytest.mark.parametrize(
    "judged", [f"BEST: {DIGITS}", f"BEST: reply {DIGITS}", f"Reply {DIGITS} is it.\nBEST: 1", "BEST: ²"]
)
def test_whatever_the_judge_says_the_comparison_is_shown(ask, judged):
    answers = [stream(event({"choices": [{"delta": {"content": "A reply"}, "finish_reason": "stop"}]}))] * 2
    run = ask(*answers, stream(event({"choices": [{"delta": {"content": judged}, "finish_reason": "stop"}]})))
    shown = run("%%compare gpt-5.5 claude-opus-4-7 --judge gpt-5.4\nHello")
    assert ("Best, says gpt-5.4" in shown) == judged.endswith("BEST: 1")


# Files

NOT_KNOWN = [
    "asked_at",
    "parameters.temperature",
    "parameters.top_p",
    "parameters.max_tokens",
    "parameters.stop",
    "parameters.reasoning_effort",
    "completion.model",
    "completion.reasoning",
    "completion.finish_reason",
    "completion.usage",
    "completion.first_token_s",
    "completion.duration_s",
    "completion.partial",
    "completion.id",
    "completion.created",
    "completion.cached",
]
REFUSED = ["parameters", "system", "prompt", "prompt.role", "prompt.parts", "completion", "completion.requested_model"]


def with_values(text: str, wrong: str, *fields: str) -> str:
    """The file with `wrong` in these fields of its turn's record."""
    notebook = json.loads(text)
    turn = notebook["cells"][-1]["outputs"][0]["data"][TURN_MIME]
    for field in fields:
        *names, last = field.split(".")
        inner = turn
        for name in names:
            inner = inner[name]
        inner[last] = "here it is"
    return json.dumps(notebook).replace('"here it is"', wrong)


@pytest.fixture
def saved(ask, tmp_path):
    """A shell, and the text of a file with a turn, and a function that loads what that becomes."""
    run = ask(stream(PLAIN))
    run("%%chat -t 0.5 --max-tokens 5 --stop x -p reasoning_effort=low\nHello")
    run(f"%chat_save {tmp_path}/good.ipynb")

    def load(text: str) -> str:
        (tmp_path / "odd.ipynb").write_text(text)
        return run(f"%chat_load {tmp_path}/odd.ipynb")

    return run, (tmp_path / "good.ipynb").read_text(), load


def test_figures_of_a_file_that_cannot_be_are_not_known(saved, tmp_path):
    run, good, load = saved
    for wrong in WRONG.values():
        if wrong in {DIGITS, WRONG["deep"]}:  # no JSON that is read
            continue
        assert "1 turn has values that make no sense" in load(with_values(good, wrong, *NOT_KNOWN))
        use_everything(run, tmp_path)
        assert "make no sense" not in run("%%chat\nHello again")
        assert "make no sense" not in run(f"%chat_load {tmp_path}/good.ipynb")


@pytest.mark.parametrize("field", ["parameters.seed", *NOT_KNOWN])
def test_each_figure_of_a_file_that_cannot_be_is_said(saved, field):
    _, good, load = saved
    assert "1 turn has values that make no sense" in load(with_values(good, "[NaN]", field))


def test_words_of_a_file_that_are_none_are_refused(saved, tmp_path):
    run, good, load = saved
    for field in REFUSED:
        for wrong in WRONG.values():
            try:
                load(with_values(good, wrong, field))
            except ConversationFileError:
                continue
            run("%chat_history 1")
            assert "make no sense" not in run("%%chat\nHello again")
        assert run("%chat_history").count("Hello")  # what was there stays
