"""Keys that are kept: in the system's keyring, and in a `.env` beside the notebook."""

from __future__ import annotations

import io

import keyring
import pytest
from dotenv import dotenv_values
from files import ENDLESS, at_once, make_endless
from hypothesis import given
from hypothesis import strategies as st
from keyrings import FileKeyring

from xcyq_magic.errors import KeyFormatError, KeyringError, MissingKeyError
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.session.access import GatewayAccess
from xcyq_magic.session.settings import GatewaySettings

KEY = "sk-Vq7xW2mN9pLk4RtZ8bYc3HdF"
ADDRESS = "https://gateway.example/path"


@pytest.fixture
def system(monkeypatch, tmp_path):
    """The system's keyring, for the time of a test."""
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    before = keyring.get_keyring()
    backend = FileKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder of the notebook, which is not the current one."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "notebook.ipynb"))
    return tmp_path


def access(address: str = ADDRESS) -> GatewayAccess:
    return GatewayAccess(GatewaySettings(base_url=address))


def key_of(a_key: ApiKey) -> str:
    return a_key.header("")


@pytest.mark.usefixtures("folder")
def test_a_saved_key_is_there_in_the_next_kernel_for_the_same_gateway_only(system):
    first = access()
    first.save_key(first.enter_key(KEY))
    assert system.kept == {f"xcyq_magic {ADDRESS}": KEY}
    later = access()
    assert key_of(later.key()) == KEY
    assert later.key().source == "the system keyring"
    asked = system.asked
    later.key()
    assert system.asked == asked  # once for a kernel: a keyring may ask its user
    with pytest.raises(MissingKeyError):
        access("https://elsewhere.example").key()


@pytest.mark.usefixtures("folder")
def test_the_address_of_a_saved_key_holds_no_password(system, monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", "https://user:secret@gateway.example/path/")
    one = GatewayAccess(GatewaySettings())
    one.save_key(one.enter_key(KEY))
    assert system.kept == {f"xcyq_magic {ADDRESS}": KEY}


def test_what_is_nearer_wins(system, folder, monkeypatch):
    one = access()
    one.save_key(ApiKey("from-the-keyring", "Python"))
    sources = [one.key().source]
    (folder / ".env").write_text("XCYQ_API_KEY=from-the-file\n")
    sources.append(one.key().source)
    monkeypatch.setenv("XCYQ_API_KEY", "from-the-environment")
    sources.append(one.key().source)
    one.enter_key("entered")
    sources.append(one.key().source)
    assert sources == ["the system keyring", "the .env file", "XCYQ_API_KEY", "%chat_key"]


@pytest.mark.usefixtures("folder")
def test_forgetting_forgets_here_and_there(system):
    one = access()
    one.save_key(one.enter_key(KEY))
    assert one.forget_key() == ["this kernel", "the system keyring"]
    assert system.kept == {}
    with pytest.raises(MissingKeyError):
        one.key()
    assert one.forget_key() == []


@pytest.mark.usefixtures("folder")
def test_a_keyring_that_refuses_is_said_and_the_key_is_not(system):
    system.path.mkdir()
    one = access()
    with pytest.raises(KeyringError) as raised:
        one.save_key(one.enter_key(KEY))
    assert "KeyringLocked" in str(raised.value)
    assert KEY not in str(raised.value)
    assert raised.value.__context__ is None  # its frames hold the key
    assert key_of(one.key()) == KEY  # for this kernel
    with pytest.raises(MissingKeyError):
        access().key()


@pytest.mark.usefixtures("folder")
def test_a_saved_key_that_cannot_be_one_is_said(system):
    system.set_password("xcyq_magic", ADDRESS, "two words")
    with pytest.raises(KeyFormatError, match="the system keyring"):
        access().key()


def test_without_a_notebook_the_file_is_in_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"OTHER=1\nXCYQ_API_KEY={KEY}\n")
    assert key_of(access().key()) == KEY


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_file_that_cannot_be_read_is_no_file(folder, kind):
    make_endless(kind, folder / ".env")
    with at_once():
        assert ApiKey.from_file(folder) is None


@pytest.mark.parametrize("text", [" " * 10**6, "# " * 400_000, "'" * 10**6, "\nXCYQ_API_KEY=" * 50_000, " #" * 400_000])
def test_a_long_file_is_read_at_once(folder, text):
    (folder / ".env").write_text(f"XCYQ_API_KEY={text[:900_000]}=\nXCYQ_API_KEY={KEY}\n")
    with at_once():
        assert key_of(ApiKey.from_file(folder)) == KEY


def test_a_key_in_a_file_that_cannot_be_one_is_said_and_not_shown(folder):
    (folder / ".env").write_text(f"XCYQ_API_KEY={KEY} {KEY}\n")
    with pytest.raises(KeyFormatError, match=r"the \.env file holds a space") as raised:
        ApiKey.from_file(folder)
    assert KEY not in str(raised.value)


NAMES = st.sampled_from(["XCYQ_API_KEY", "OTHER", "XCYQ_API_KEY_2", "MY_XCYQ_API_KEY"])
WORDS = st.text("aZ9-_.#=/+$", max_size=8)
SPACES = st.sampled_from(["", " ", "\t"])


@st.composite
def dotenv_lines(draw):
    name, word, quote = draw(NAMES), draw(WORDS), draw(st.sampled_from(["", "'", '"']))
    export, before, after = draw(st.sampled_from(["", "export ", " "])), draw(SPACES), draw(SPACES)
    comment = draw(st.sampled_from(["", " # a comment", " #'", "  "]))
    line = f"{export}{name}{before}={after}{quote}{word}{quote}{comment}"
    return draw(st.sampled_from([line, line, f"# {line}", ""]))


@given(st.lists(dotenv_lines(), max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_a_key_is_read_from_a_file_as_python_dotenv_reads_it(tmp_path_factory, lines, ending):
    text = ending.join(lines)
    folder = tmp_path_factory.getbasetemp()
    (folder / ".env").write_text(text, newline="")
    found = ApiKey.from_file(folder)
    expected = dotenv_values(stream=io.StringIO(text, newline=None), interpolate=False).get("XCYQ_API_KEY")
    assert (found and key_of(found)) == (expected or None)
