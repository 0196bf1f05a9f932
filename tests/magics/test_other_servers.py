"""Servers other than the documented gateway: their addresses, their models, no key, certificates, proxies."""

from __future__ import annotations

import json
import re
import socket
import ssl
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.utils.capture import capture_output
from servers import DONE, Answer, RawServer, delta, event, http
from shells import shell_of

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.gateway.route import proxy_of

KEY = "sk-5ecret-0123456789"
HELLO = Answer(http(delta("Hel") + delta("lo", "stop") + DONE, kind="text/event-stream"))
NAMES = ["llama3.2:3b", "sb/gpt-5.5", "Qwen/Qwen3-8B"]
LISTED = Answer(http(json.dumps({"object": "list", "data": [{"id": n, "object": "model"} for n in NAMES]})))
PEM = (
    Path(__file__).parents[1] / "gateway" / "loopback.pem"
)  # a certificate of 127.0.0.1, signed by itself, and its key


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Notebook:
    """Cells that ask a server; what they show is kept."""

    def __init__(self, shell) -> None:
        self.shell = shell
        self.ok = True

    def run(self, code: str) -> str:
        with capture_output() as captured:
            self.ok = self.shell.run_cell(code).success
        shown = [d.data.get("text/plain", "") for d in captured.outputs]
        return "\n".join([captured.stdout, *shown])

    def offers(self, line: str) -> list[str]:
        with provisionalcompleter():
            return [c.text for c in self.shell.Completer.completions(line, len(line))]


@pytest.fixture
def notebook(monkeypatch):
    """Start a server with these answers, and a notebook that asks it, under `path` of its address."""
    servers, shells = [], []

    def start(*answers: Answer, path: str = "", key: str = "", address: str = "", tls=None):
        servers.append(RawServer([*answers, HELLO], tls=tls))
        monkeypatch.setenv("XCYQ_BASE_URL", address or servers[-1].base_url.removesuffix("/gateway") + path)
        if key:
            monkeypatch.setenv("XCYQ_API_KEY", key)
        context = shell_of()
        shell = context.__enter__()
        shells.append((context, shell))
        load_ipython_extension(shell)
        return Notebook(shell), servers[-1]

    yield start
    for context, shell in shells:
        unload_ipython_extension(shell)
        context.__exit__(None, None, None)
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", "POST /v1/chat/completions HTTP/1.1"),
        ("/v1/", "POST /v1/chat/completions HTTP/1.1"),
        ("/v1/chat/completions", "POST /v1/chat/completions HTTP/1.1"),
        ("/v1beta/openai/", "POST /v1beta/openai/chat/completions HTTP/1.1"),
        ("/api/v3", "POST /api/v3/chat/completions HTTP/1.1"),
        ("/o/chat/completions?api-version=1", "POST /o/chat/completions?api-version=1 HTTP/1.1"),
    ],
)
def test_requests_go_where_the_base_url_says(notebook, path, line):
    cells, server = notebook(path=path)
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    assert [r.line for r in server.requests] == [line]


def test_on_this_machine_no_key_is_needed(notebook):
    cells, server = notebook()
    assert "API key: none; a server on this machine may not need one" in cells.run("%chat")
    assert "without a key" in cells.run("%chat_sandbox auto")
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    assert "authorization" not in server.requests[0].headers


def test_a_key_that_there_is_goes_along(notebook):
    cells, server = notebook(key=KEY)
    cells.run("%chat -m gpt-5.5 Hi")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_server_on_this_machine_that_wants_a_key_says_so(notebook):
    cells, _ = notebook(Answer(http('{"error": {"message": "No api key passed in."}}', "401 Unauthorized")))
    shown = cells.run("%chat -m gpt-5.5 Hi")
    assert "No api key passed in." in shown
    assert "%chat_key" in shown


REFUSED = '{"error": {"message": "Incorrect API key provided."}}'
IN_STREAM = event(json.loads(REFUSED))


@pytest.mark.parametrize(
    "payload",
    [
        http(REFUSED, "401 Unauthorized"),
        http("{}", "401 Unauthorized"),
        http(REFUSED, "400 Bad Request"),
        http("{}", "403 Forbidden"),
        http(IN_STREAM, kind="text/event-stream"),
    ],
)
def test_where_no_key_was_sent_none_is_to_be_checked(notebook, payload):
    cells, _ = notebook(Answer(payload))
    shown = cells.run("%chat -m gpt-5.5 Hi")
    assert "No key was sent, for none was found: %chat_key asks for it, or set XCYQ_API_KEY." in shown
    assert "Check the key" not in shown


@pytest.mark.parametrize("payload", [http(REFUSED, "401 Unauthorized"), http(IN_STREAM, kind="text/event-stream")])
def test_a_key_that_is_refused_is_said_where_it_came_from(notebook, payload, monkeypatch, tmp_path):
    cells, server = notebook(Answer(payload), Answer(payload), Answer(payload), key=KEY)
    said = "Check the key, which came from {}: %chat_key asks for it again."
    assert said.format("XCYQ_API_KEY") in cells.run("%chat -m gpt-5.5 Hi")
    monkeypatch.delenv("XCYQ_API_KEY")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"XCYQ_API_KEY={KEY}\n")
    assert said.format("the .env file") in cells.run("%chat -m gpt-5.5 Hi")
    monkeypatch.setattr("getpass.getpass", lambda _: f" '{KEY}' ")
    cells.run("%chat_key")
    shown = cells.run("%chat -m gpt-5.5 Hi")
    assert {r.headers["authorization"] for r in server.requests} == {f"Bearer {KEY}"}  # without the quotes
    assert said.format("%chat_key") in shown
    assert KEY not in shown


def test_elsewhere_a_key_is_needed(notebook):
    cells, _ = notebook(address="https://gateway.invalid")
    assert "There is no API key, so nothing was sent." in cells.run("%chat -m gpt-5.5 Hi")


# The list of models


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": n} for n in NAMES]},
        [{"id": n} for n in NAMES],
        {"models": [{"name": n} for n in NAMES]},
        {"models": [{"model": n, "name": "Nice name"} for n in NAMES], "data": None},
        {"data": NAMES},
        {"data": [{"id": n} for n in [*NAMES, NAMES[0], "two words", "", "a\u200bb"]] + [None, 5, {"id": 7}, []]},
    ],
)
def test_the_models_are_those_that_the_server_lists(notebook, body):
    cells, server = notebook(Answer(http(json.dumps(body))), key=KEY)
    shown = cells.run("%chat_models")
    assert "3 of 3 models" in shown
    assert all(name in shown for name in NAMES)
    assert "claude" not in shown
    assert server.requests[0].line == "GET /v1/models HTTP/1.1"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_servers_models_are_searched_completed_and_chosen(notebook):
    cells, server = notebook(LISTED)
    assert cells.offers("%chat_model lla") == ["llama3.2:3b"]
    assert cells.offers("%%chat -m qwen") == ["Qwen/Qwen3-8B"]
    assert len(server.requests) == 1  # asked once
    assert cells.run("%chat_model sb/gpt-5.5") == "Model: sb/gpt-5.5\n"
    assert "catalogue" not in cells.run("%chat Hi")
    assert len(server.requests) == 2


def test_a_name_that_is_not_in_the_servers_list_is_told_the_near_one_there(notebook):
    cells, _ = notebook(LISTED)
    shown = cells.run("%chat_model llama3.2")
    assert "llama3.2 is not in the list of this server; requests use it as typed. Did you mean llama3.2:3b?" in shown


def test_a_model_that_the_server_does_not_have_is_told_the_near_one_of_its_list(notebook):
    words = json.dumps({"error": {"message": "model not found"}})
    cells, server = notebook(LISTED, *[Answer(http(words, "404 Not Found"))] * 2)
    cells.run("%chat_model gpt-55")
    said = " ".join(cells.run("from xcyq_magic import Chat; Chat('gpt-55')('Hi')").split())
    assert "refused with 404: model not found Did you mean sb/gpt-5.5?" in said
    said = cells.run("%chat -m gpt-5.5 Hi")  # which the catalogue has, and this server has not
    assert "Did you mean sb/gpt-5.5?" in said.partition("refused with 404")[2]
    assert len(server.requests) == 3


def test_patterns_of_a_comparison_match_the_servers_models(notebook):
    two = Answer(http(json.dumps({"data": [{"id": "Llama-3"}, {"id": "llama-4"}, {"id": "phi-4"}]})))
    cells, server = notebook(two)
    cells.run("%%compare llama-*\nHi")
    assert cells.ok
    assert sorted(r.json["model"] for r in server.requests[1:]) == ["Llama-3", "llama-4"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http('{"detail": "Not Found"}', "404 Not Found"), "refused with 404: Not Found"),
        (http("<!doctype html><title>Nice page</title>", kind="text/html"), "a web page ('Nice page')"),
        (http('{"object": "list"}'), "no list of models"),
        (http("[" * 100_000), "no list of models"),
        (http(f'{{"error": "bad key {KEY}"}}'), "no list of models"),
        (http("", "302 Found", Location="http://elsewhere.example/"), "points to http://elsewhere.example/"),
        (http('{"data": []}'), "45 of 45"),
    ],
)
def test_a_server_without_a_list_leaves_the_catalogue(notebook, answer, why):
    cells, _ = notebook(Answer(answer), key=KEY)
    shown = cells.run("%chat_models")
    assert why in shown
    assert "45 of 45 models" in shown
    assert KEY not in shown
    assert cells.ok
    assert "claude-opus-4-7" in cells.offers("%chat_model opus-4-7")


@pytest.mark.parametrize("page", ["<title>Error response</title>", '{"detail": "Not here."}'])
def test_a_server_without_a_list_is_named_with_why(notebook, page):
    cells, server = notebook(Answer(http(page, "501 Not Implemented")))
    said = cells.run("%chat_models").replace("\n", " ")
    address = server.base_url.removesuffix("/gateway")
    assert f"{address} gave no list of its models: The gateway refused with 501: " in said
    assert re.search(r"[^.]\. Below are the names of the catalogue, which it may not know\.", said)


def test_an_address_that_is_set_while_the_sandbox_answers_is_said_to_wait(notebook):
    cells, server = notebook(key=KEY)
    cells.run("%chat_sandbox")
    assert "%chat_sandbox off" not in cells.run("%chat -m gpt-5.5 Hi")
    other = server.base_url + "/other"
    note = f"The sandbox still answers: %chat_sandbox off sends requests to {other}."
    assert cells.run(f"%config GatewaySettings.base_url = {other!r}").strip() == note
    assert "The sandbox still" not in cells.run("%chat -m gpt-5.5 Hi")  # once for each address
    assert f"(the sandbox, in place of {other})" in cells.run("%chat").replace("\n", " ")
    assert server.requests == []
    said = cells.run(f"%config GatewaySettings.base_url = {server.base_url!r}")
    assert f"sends requests to {server.base_url}." in said
    cells.run("%chat_sandbox off")
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    assert f"from now on, in place of {server.base_url}." in cells.run("%chat_sandbox").replace("\n", " ")
    cells.run("%reload_ext xcyq_magic")
    assert cells.run(f"%config GatewaySettings.base_url = {other!r}").strip() == note


@pytest.mark.parametrize("then", ["reset", "close"])
def test_a_server_that_breaks_its_list_off_leaves_the_catalogue(notebook, then):
    cells, _ = notebook(Answer(http("[" * 50)[:-20], then), key=KEY)
    shown = cells.run("%chat_models")
    assert "gave no list of its models" in shown
    assert "45 of 45" in shown


def test_who_can_read_the_key_is_said_before_a_list_is_asked_for(notebook, monkeypatch):
    cells, server = notebook(LISTED, address="http://gateway.invalid", key=KEY)
    monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/gateway"))
    assert "claude-opus-4-7" in cells.offers("%chat_model opus-4-7")
    assert server.requests == []  # TAB asks nobody who is reached in clear
    shown = cells.run("%chat_models")
    assert shown.index("gateway.invalid is reached over plain http") < shown.index("llama3.2:3b")
    assert cells.offers("%chat_model lla") == ["llama3.2:3b"]


def test_the_key_is_in_no_name_of_a_list(notebook):
    cells, _ = notebook(Answer(http(json.dumps({"data": [{"id": f"model-{KEY}"}, {"id": "phi-4"}]}))), key=KEY)
    assert KEY not in cells.run("%chat_models")
    assert not any(KEY in name for name in cells.offers("%chat_model m"))


def test_the_documented_gateway_and_the_sandbox_have_the_catalogue(notebook):
    cells, server = notebook(LISTED)
    cells.run("%chat_sandbox")
    assert "45 of 45 models" in cells.run("%chat_models")
    assert server.requests == []


def test_an_unknown_name_is_remarked_on_once(notebook):
    cells, _ = notebook()
    assert cells.run("%chat -m llama Hi").count("llama is not in the catalogue") == 1
    assert "catalogue" not in cells.run("%chat -m llama Hi")
    assert "other is not in the catalogue" in cells.run("%chat -m other Hi")
    assert cells.run("%%compare llama other third\nHi").count("catalogue") == 1


@pytest.mark.parametrize(
    "name", ["sb/gpt-5.5", "openrouter/anthropic/claude-opus-4-7", "gpt-5.5:free", "claude-opus-47@1"]
)
def test_a_name_of_another_kind_is_not_taken_for_a_slip(notebook, name):
    cells, _ = notebook()
    assert "Did you mean" not in cells.run(f"%chat -m {name} Hi")


# Certificates and proxies


def test_a_certificate_of_ones_own_is_believed_once_it_is_named(notebook, monkeypatch):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    cells, server = notebook(tls=tls)
    shown = cells.run("%chat -m gpt-5.5 Hi")
    assert not cells.ok
    assert "SSL_CERT_FILE=/path/to/ca.pem" in shown
    assert server.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    assert server.requests[0].line.startswith("POST /v1/")


def test_a_certificate_file_that_is_none_matters_for_https_alone(notebook, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
    cells, _ = notebook()
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    monkeypatch.setenv("XCYQ_BASE_URL", "https://127.0.0.1:9")
    cells.run("%config GatewaySettings.base_url = 'https://127.0.0.1:9'")
    assert "What SSL_CERT_FILE names cannot be used" in cells.run("%chat -m gpt-5.5 Hi")


@pytest.mark.parametrize("excepted", ["[::1]", "::1", "[::1],127.0.0.1,localhost", "*.example,[fe80::1]:80", ",,"])
def test_exceptions_from_the_proxy_in_any_form_keep_nobody_from_asking(notebook, monkeypatch, excepted):
    monkeypatch.setenv("NO_PROXY", excepted)
    cells, server = notebook()
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/gateway"))
    cells.run("%config GatewaySettings.base_url = 'http://gateway.invalid'")
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    assert "Hello" in cells.run("%chat -m gpt-5.5 Hi")
    assert server.requests[-1].line == "POST http://gateway.invalid/v1/chat/completions HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "excepted", "through"),
    [
        ("http://gateway.example", "", True),
        ("http://gateway.example", "gateway.example", False),
        ("http://gateway.example", ".example", False),
        ("http://gateway.example:8080", "gateway.example:8080", False),
        ("http://gateway.example", "gateway.example:8080", True),
        ("http://gateway.example", "*", False),
        ("http://10.1.2.3", "10.0.0.0/8", False),
        ("http://10.1.2.3", "10.2.0.0/16", True),
        ("http://[fd00::5]:80", "[fd00::5]", False),
        ("http://[fd00::5]:80", "fd00::5", False),
        ("http://[fd00::5]", "[fd00::6]", True),
        ("http://[::1]", "", False),
        ("http://127.0.0.1:8000", "", False),
    ],
)
def test_the_proxy_is_gone_around_where_the_environment_says(monkeypatch, url, excepted, through):
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", excepted)
    assert proxy_of(url) == ("http://proxy.example:3128" if through else None)


@pytest.mark.parametrize(("scheme", "name"), [("http", "HTTP_PROXY"), ("https", "all_proxy")])
def test_a_dead_proxy_is_named(notebook, monkeypatch, scheme, name):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv(name, f"http://user:s3cret@127.0.0.1:{port}")
    cells, _ = notebook(address=f"{scheme}://gateway.invalid", key=KEY)
    shown = cells.run("%chat -m gpt-5.5 Hi")
    assert f"No connection to {scheme}://gateway.invalid through the proxy 127.0.0.1:{port}" in shown
    assert f"Check the proxy, which {name} names" in shown
    assert "s3cret" not in shown


# JSON as it stands


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ('-p a={"x": 1}', {"a": {"x": 1}}),
        ('-p a={"x": {"y": [1, 2]}, "z": "two words"} -t 0.5', {"a": {"x": {"y": [1, 2]}, "z": "two words"}}),
        ('-p a=[1, 2, 3] -p b={"q": "}"}', {"a": [1, 2, 3], "b": {"q": "}"}}),
        ('--param a={"x": 1}', {"a": {"x": 1}}),
        ('--param=a={"x": 1}', {"a": {"x": 1}}),
        ('-pa={"x": 1}', {"a": {"x": 1}}),
        ('-p {"a": 1, "b": "it\'s"}', {"a": 1, "b": "it's"}),
        ('-p a={"x": "say \\"hi\\""}', {"a": {"x": 'say "hi"'}}),
        ("-p 'a={\"x\": 1}'", {"a": {"x": 1}}),
        ("-p a=5 -p b=flex", {"a": 5, "b": "flex"}),
    ],
)
@pytest.mark.parametrize("magic", ["chat", "compare"])
def test_a_field_takes_json_as_it_stands(notebook, magic, typed, sent):
    cells, server = notebook()
    models = "-m gpt-5.5" if magic == "chat" else "gpt-5.5 gpt-5.4"
    cells.run(f"%%{magic} {models} {typed}\nHi")
    assert cells.ok
    body = server.requests[0].json
    assert {name: body[name] for name in sent} == sent
    assert body["messages"][-1]["content"] == "Hi"


def test_after_json_the_prompt_begins(notebook):
    cells, server = notebook()
    cells.run('%chat -m gpt-5.5 -p a={"x": 1} What is {"b": 2} -p c={"d":  1}?')
    assert server.requests[0].json["a"] == {"x": 1}
    assert server.requests[0].json["messages"][-1]["content"] == 'What is {"b": 2} -p c={"d":  1}?'
    assert "--temperature" in cells.offers('%%chat -p a={"x": 1} --te')


@pytest.mark.parametrize(
    "typed", ['-p a={"x": 1', '-p a={"x": 1}}', "-p a={'x': 1}", "-p a={x: 1}", "-p a=" + "[" * 5000]
)
def test_json_that_is_none_is_refused(notebook, typed):
    cells, server = notebook()
    assert "nothing was sent" in cells.run(f"%%chat -m gpt-5.5 {typed}\nHi")
    assert not cells.ok
    assert server.requests == []


def test_an_address_that_would_get_the_turns_of_another_server_is_said_when_it_is_set(notebook):
    note = "main was answered by http://127.0.0.1"
    cells, server = notebook(key=KEY)
    assert note not in cells.run("%config GatewaySettings.base_url = 'http://gateway.invalid'")
    cells.run(f"%config GatewaySettings.base_url = {server.base_url!r}")
    cells.run("%chat -m gpt-5.5 Hi")
    assert note not in cells.run(
        f"%config GatewaySettings.base_url = {server.base_url + '/other'!r}"
    )  # on this machine
    said = cells.run("%config GatewaySettings.base_url = 'http://gateway.invalid'")
    assert said.startswith(note)
    assert "with its next prompt, its turns go to http://gateway.invalid. %chat_reset" in said
    cells.run(f"%config GatewaySettings.base_url = {server.base_url!r}")
    cells.run("%chat_reset")
    assert note not in cells.run("%config GatewaySettings.base_url = 'http://gateway.invalid'")


def test_turns_that_the_sandbox_answered_are_said_to_go_on_where_it_is_ended(notebook):
    cells, server = notebook(key=KEY)
    cells.run("%chat_sandbox")
    assert "was answered by" not in cells.run("%chat_sandbox off")
    cells.run("%chat_sandbox")
    cells.run("%chat -m gpt-5.5 Hi")
    address = server.base_url.removesuffix("/gateway")
    going = f"main was answered by the sandbox; with its next prompt, its turns go to {address}."
    assert f"{going} %chat_reset begins anew." in cells.run("%chat_sandbox off")
    assert "was answered by" not in cells.run("%chat_sandbox")  # back again
    cells.run("%chat_sandbox off")
    cells.run("%chat -m gpt-5.5 Hello")
    assert "was answered by" not in cells.run("%chat_sandbox")  # nothing of it leaves this machine
