"""Who can read what is sent, and proxies of the environment that cannot be used."""

from __future__ import annotations

import pytest

from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import SettingError
from xcyq_magic.gateway.request import is_loopback, route_notice
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
    "url", ["http://127.0.0.1:8765/x", "http://localhost/x", "http://[::1]:80", "https://127.1.2.3"]
)
def test_loopback_is_told_from_elsewhere(url):
    assert is_loopback(url)
    assert route_notice(url) is None


@pytest.mark.parametrize("url", [ELSEWHERE, "http://10.0.0.1", "http://localhost.example", "http://127.0.0.1.example"])
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
        ("HTTP_PROXY", "ftp://proxy.example:1"),
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
