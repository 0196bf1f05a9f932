"""Who can read what is sent, and proxies of the environment that cannot be used."""

from __future__ import annotations

import pytest

from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import SettingError
from xcyq_magic.gateway.route import endpoint, is_loopback, models_url, route_notice, without_secrets
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import GatewaySettings

ELSEWHERE = "http://gateway.example/path"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://gateway.example/path", "http://gateway.example/path/v1/chat/completions"),
        ("http://gateway.example/path/", "http://gateway.example/path/v1/chat/completions"),
        ("https://gateway.example", "https://gateway.example/v1/chat/completions"),
        ("https://gateway.example/", "https://gateway.example/v1/chat/completions"),
        ("  https://gateway.example/path\n", "https://gateway.example/path/v1/chat/completions"),
        ("http://gateway.example/path/v1", "http://gateway.example/path/v1/chat/completions"),
        ("http://gateway.example/path/v1/", "http://gateway.example/path/v1/chat/completions"),
        ("http://gateway.example/api-v1", "http://gateway.example/api-v1/v1/chat/completions"),
        ("http://127.0.0.1:8765/gw", "http://127.0.0.1:8765/gw/v1/chat/completions"),
        ("http://[::1]:8765", "http://[::1]:8765/v1/chat/completions"),
        ("HTTPS://Gateway.example", "HTTPS://Gateway.example/v1/chat/completions"),
        ("https://gateway.example/path?", "https://gateway.example/path/v1/chat/completions"),
        # A version, wherever it stands and whatever follows it
        ("https://g.example/v1beta/openai", "https://g.example/v1beta/openai/chat/completions"),
        ("https://g.example/v1beta/openai/", "https://g.example/v1beta/openai/chat/completions"),
        ("https://g.example/api/v3", "https://g.example/api/v3/chat/completions"),
        ("https://g.example/api/v3//", "https://g.example/api/v3/chat/completions"),
        ("https://g.example/api/paas/v4/", "https://g.example/api/paas/v4/chat/completions"),
        ("https://g.example/v1/account/gateway/compat", "https://g.example/v1/account/gateway/compat/chat/completions"),
        (
            "https://g.example/openai/v1/?api-version=preview",
            "https://g.example/openai/v1/chat/completions?api-version=preview",
        ),
        # The whole address, or another one of the same server
        ("http://127.0.0.1:8000/v1/chat/completions", "http://127.0.0.1:8000/v1/chat/completions"),
        ("http://127.0.0.1:8000/v1/chat/completions/", "http://127.0.0.1:8000/v1/chat/completions"),
        ("https://g.example/chat/completions", "https://g.example/chat/completions"),
        (
            "https://g.example/openai/deployments/m/chat/completions?api-version=2024-10-21",
            "https://g.example/openai/deployments/m/chat/completions?api-version=2024-10-21",
        ),
        ("https://g.example/v1/responses", "https://g.example/v1/chat/completions"),
        ("https://g.example/v1/models", "https://g.example/v1/chat/completions"),
        ("https://g.example/v1/completions", "https://g.example/v1/chat/completions"),
        ("https://g.example/v1/chat", "https://g.example/v1/chat/completions"),
        # Nothing that is only like a version
        ("https://g.example/v", "https://g.example/v/v1/chat/completions"),
        ("https://v1.example/av1", "https://v1.example/av1/v1/chat/completions"),
    ],
)
def test_the_endpoint_lies_under_the_base_url(base_url, url):
    assert endpoint(base_url) == url


@pytest.mark.parametrize(
    "base_url", ["", "gateway.example", "gateway.example/path", "//gateway.example", "ftp://gateway.example", "/path"]
)
def test_a_base_url_has_a_scheme(base_url):
    with pytest.raises(SettingError, match="does not begin with http:// or https://; nothing was sent") as raised:
        endpoint(base_url)
    assert "GatewaySettings.base_url" in raised.value.hint


@pytest.mark.parametrize(
    ("base_url", "meant"),
    [
        ("localhost:8971", "http://localhost:8971"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("//[::1]:8080", "http://[::1]:8080"),
        ("192.168.1.7:11434", "http://192.168.1.7:11434"),
        ("my-server:4000", "http://my-server:4000"),
        ("gateway.example/path", "https://gateway.example/path"),
        ("htp://localhost:8971", "http://localhost:8971"),
    ],
)
def test_an_address_without_a_scheme_is_offered_with_one(base_url, meant):
    with pytest.raises(SettingError) as raised:
        endpoint(base_url)
    assert raised.value.hint == f"Did you mean %config GatewaySettings.base_url = '{meant}'?"


@pytest.mark.parametrize("base_url", ["", "/path", "ftp://", "a b:80", "javascript:alert(1)"])
def test_what_is_no_address_is_not_offered(base_url):
    with pytest.raises(SettingError) as raised:
        endpoint(base_url)
    assert raised.value.hint.startswith("Type for example")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://",
        "http:///path",
        "http://:8765/path",
        "http://gateway.example:port",
        "http://gateway.example:99999",
        "http://gateway.example/path#part",
        "http://gateway.example/path#",
        "http://gateway example/path",
        "http://gateway.example/a path",
        "http://gateway.example/a\u200bpath",
        "http://[::1/path",
    ],
)
def test_a_base_url_is_an_address_and_nothing_more(base_url):
    with pytest.raises(SettingError, match="is not the address of a gateway; nothing was sent") as raised:
        endpoint(base_url)
    assert "GatewaySettings.base_url" in raised.value.hint


@pytest.mark.parametrize("name", ["key", "api-key", "apikey", "access_token", "subscription-key", "sig", "code"])
@pytest.mark.parametrize("before", ["?", "?api-version=1&"])
def test_a_key_in_a_base_url_is_refused_and_not_repeated(name, before):
    with pytest.raises(SettingError, match=f"holds {name}=…, a key that would be shown") as raised:
        endpoint(f"https://g.example/v1{before}{name}=s3cret&more=1")
    assert "s3cret" not in str(raised.value)
    assert "s3cret" not in without_secrets(f"https://g.example/v1{before}{name}=s3cret&more=1")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("https://g.example/v1/chat/completions", "https://g.example/v1/models"),
        ("https://g.example/v1beta/openai/chat/completions", "https://g.example/v1beta/openai/models"),
        ("https://g.example/v1/chat/completions?api-version=1", "https://g.example/v1/models?api-version=1"),
    ],
)
def test_the_list_of_models_lies_beside_the_endpoint(address, url):
    assert models_url(address) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8765/x",
        "http://localhost/x",
        "http://[::1]:80",
        "https://127.1.2.3",
        "http://0.0.0.0:8000",
        "http://LOCALHOST./",
        "http://[::ffff:127.0.0.1]:8000",
    ],
)
def test_loopback_is_told_from_elsewhere(url):
    assert is_loopback(url)
    assert route_notice(url) is None


@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "http://10.0.0.1",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://[::2]",
        "http://[fd00::1]:80",
    ],
)
def test_plain_http_elsewhere_is_told(url):
    assert not is_loopback(url)
    assert "plain http" in route_notice(url)
    assert route_notice(url.replace("http:", "https:")) is None


@pytest.mark.parametrize("user", ["user:secret@", "secret:a/b@", "secret/@", "secret%40@", ""])
def test_a_proxy_that_reads_along_is_named_without_its_password(monkeypatch, user):
    monkeypatch.setenv("http_proxy", f"http://{user}proxy.example:3128")
    assert "the proxy proxy.example:3128 among them" in route_notice(ELSEWHERE)
    assert "secret" not in route_notice(ELSEWHERE)
    monkeypatch.setenv("no_proxy", "gateway.example")
    assert "proxy" not in route_notice(ELSEWHERE)


def test_the_notice_comes_once_for_a_session(monkeypatch):
    session = ChatSession(GatewaySettings(base_url=ELSEWHERE))
    assert "gateway.example is reached over plain http" in session.access.route_notice()
    assert session.access.route_notice() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "ftp://proxy.example:1"),
        ("all_proxy", "socks9://proxy.example"),
        ("https_proxy", "http://user:secret@[::1"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("XCYQ_API_KEY", "key")
    session = ChatSession(GatewaySettings(base_url="https://gateway.invalid/path"))
    try:
        outcome = session.ask(Message.of("user", "Hello"))
    finally:
        session.close()
    assert type(outcome.error) is SettingError
    assert name in outcome.error.message
    assert "secret" not in str(outcome.error)
    assert outcome.turn is None


def test_a_bad_proxy_does_not_matter_on_loopback(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "ftp://proxy.example:1")
    session = ChatSession()
    try:
        session.access.start_sandbox()
        assert session.ask(Message.of("user", "Hello")).error is None
    finally:
        session.close()
