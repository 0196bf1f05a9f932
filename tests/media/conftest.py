"""One session whose gateway is a sandbox, and what that received, over HTTP."""

from __future__ import annotations

import pytest
from pictures import pixels

from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, Part
from xcyq_magic.gateway import encoding
from xcyq_magic.session.session import ChatSession, TurnOptions
from xcyq_magic.session.settings import GatewaySettings

FAST = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: echo\n"


@pytest.fixture(scope="module")
def session():
    session = ChatSession(GatewaySettings(video_form="video_url"))  # the form that tells a video by its address
    session.access.start_sandbox()
    yield session
    session.close()


@pytest.fixture
def received(session):
    """Send content parts, and return those that the server received."""

    def send(*parts: Part, model: str = "gemini-2.5-pro") -> tuple[Part, ...]:
        session.ask(Message.of("user", *parts, FAST + "Look."), TurnOptions(model=model, once=True)).result()
        message = session.access.sandbox.received[-1].body["messages"][-1]
        return encoding.decode_message(message).parts[:-1]

    return send


@pytest.fixture
def picture(received):
    """Send one picture, and return the pixels that the server received."""

    def send(part: Part, model: str = "gemini-2.5-pro"):
        (image,) = received(part, model=model)
        assert isinstance(image, Image)
        return pixels(image)

    return send
