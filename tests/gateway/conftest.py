"""Raw servers, and a client or a session that asks them."""

from __future__ import annotations

import pytest
from servers import Answer, RawServer

from xcyq_magic.gateway.client import GatewayClient
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import GatewaySettings


@pytest.fixture
def client():
    client = GatewayClient()
    yield client
    client.close()


@pytest.fixture
def serve():
    """Start raw servers that end with the test."""
    servers = []

    def start(*answers: Answer | bytes, port: int = 0) -> RawServer:
        servers.append(RawServer([a if isinstance(a, Answer) else Answer(a) for a in answers], port=port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def gateway(monkeypatch, serve):
    """Start a raw server, and a session that asks it."""
    monkeypatch.setenv("XCYQ_API_KEY", "sk-5ecret-0123456789")
    sessions = []

    def start(*answers: Answer | bytes) -> tuple[ChatSession, RawServer]:
        server = serve(*answers)
        sessions.append(ChatSession(GatewaySettings(base_url=server.base_url)))
        return sessions[-1], server

    yield start
    for session in sessions:
        session.close()
