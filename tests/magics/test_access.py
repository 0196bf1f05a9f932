"""The key and the sandbox, as they are typed: what is found, what is asked for, and what is said of it."""

from __future__ import annotations

import sys

import keyring
import pytest
from kernels import KEY
from keyring.backends import fail, null
from keyrings import FileKeyring

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import KeyFormatError, KeyringError, MissingKeyError, SettingError


@pytest.fixture
def lines(run, capsys):
    """Run a cell; returns the lines that it prints."""

    def printed(code: str) -> list[str]:
        capsys.readouterr()
        run(code)
        return capsys.readouterr().out.strip().split("\n")

    return printed


@pytest.fixture
def typed(monkeypatch):
    """What the user is asked; whoever is asked types the key."""
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or KEY)
    return asked


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The notebook's folder, with a keyring's file."""
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def use_keyring():
    """Let the system have another keyring for the time of a test."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def no_key(shell, monkeypatch, folder):
    """No key anywhere."""
    monkeypatch.delenv("XCYQ_API_KEY")


# Offline only where there is no key


@pytest.mark.usefixtures("no_key")
def test_auto_works_offline_without_a_key_and_says_so(run, lines, sandbox):
    run("%config GatewaySettings.base_url = 'https://gateway.invalid'")  # a server on this machine needs none
    assert lines("%chat_sandbox auto") == [
        "No API key is found.",
        "Requests go to a sandbox on this machine from now on, in place of https://gateway.invalid.",
        "It is not a model: it reports what it receives. %chat_sandbox off ends it.",
    ]
    run("%chat Hello")
    assert sandbox.received == []
    assert "No API key is found." not in lines("%chat_sandbox auto")  # again, as with Run All


def goes_to_the_gateway(run, lines, sandbox, source: str) -> None:
    assert lines("%chat_sandbox auto") == [
        f"Requests go to {sandbox.base_url}, with the key from {source}. %chat_sandbox works offline."
    ]
    run("%chat Hello")
    assert len(sandbox.received) == 1


def test_auto_takes_the_key_of_the_environment(run, lines, sandbox):
    goes_to_the_gateway(run, lines, sandbox, "XCYQ_API_KEY")


@pytest.mark.usefixtures("no_key")
def test_auto_takes_the_key_of_a_file(run, lines, sandbox, folder):
    (folder / ".env").write_text(f"XCYQ_API_KEY={KEY}\n")
    goes_to_the_gateway(run, lines, sandbox, "the .env file")


@pytest.mark.usefixtures("no_key")
def test_auto_takes_the_key_of_the_keyring(run, lines, sandbox, use_keyring):
    use_keyring(FileKeyring())
    keyring.set_password("xcyq_magic", sandbox.base_url, KEY)
    goes_to_the_gateway(run, lines, sandbox, "the system keyring")


@pytest.mark.usefixtures("no_key", "typed")
def test_auto_takes_the_key_that_was_entered(run, lines, sandbox):
    run("%chat_key")
    goes_to_the_gateway(run, lines, sandbox, "%chat_key")


def test_auto_ends_no_sandbox_that_was_asked_for(run, lines, sandbox):
    run("%chat_sandbox")
    goes_on = "The sandbox goes on, although there is a key from XCYQ_API_KEY: %chat_sandbox off uses it."
    assert lines("%chat_sandbox auto") == [goes_on]
    run("%chat Hello")
    assert sandbox.received == []
    run("%chat_sandbox off")
    goes_to_the_gateway(run, lines, sandbox, "XCYQ_API_KEY")


def test_auto_hides_no_key_that_cannot_be_one(run, monkeypatch):
    monkeypatch.setenv("XCYQ_API_KEY", "two words")
    with pytest.raises(KeyFormatError):
        run("%chat_sandbox auto")


# Where the key cannot be saved, nobody is asked for it


def test_without_the_package_nobody_is_asked_for_a_key_to_save(run, lines, monkeypatch, typed):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyringError, match=r"%pip install keyring(.|\n)*%chat_key alone"):
        run("%chat_key --save")
    assert typed == []
    assert "API key: from XCYQ_API_KEY" in lines("%chat")


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_where_the_system_has_no_keyring_nobody_is_asked_for_a_key_to_save(run, lines, use_keyring, typed, backend):
    use_keyring(backend())
    with pytest.raises(KeyringError, match=r"no keyring(.|\n)*%chat_key alone"):
        run("%chat_key --save")
    assert typed == []
    assert "API key: from XCYQ_API_KEY" in lines("%chat")


def test_a_keyring_that_cannot_be_loaded_is_said_and_nobody_is_asked(run, typed, monkeypatch):
    for name in [n for n in sys.modules if n.partition(".")[0] == "keyring"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no_such_package.Keyring")
    with pytest.raises(KeyringError, match=r"no_such_package(.|\n)*%chat_key alone") as raised:
        run("%chat_key --save")
    assert "not installed" not in raised.value.message
    assert typed == []


def test_a_keyring_that_refuses_leaves_the_key_in_memory_and_says_so(run, lines, use_keyring, typed, folder):
    (folder / "keyring.json").mkdir()  # locked
    use_keyring(FileKeyring())
    with pytest.raises(KeyringError, match="kept in memory, for this kernel"):
        run("%chat_key --save")
    assert typed == ["API key: "]
    assert "API key: from %chat_key" in lines("%chat")


# The gateway's address, as it is shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("nonsense", "Gateway: The base URL 'nonsense' does not begin with http:// or https://."),
        ("https:/gateway.example", "Gateway: The base URL 'https:/gateway.example' is not the address of a gateway."),
        (
            "https://gateway.example/#key=1",
            "Gateway: The base URL 'https://gateway.example/#…' is not the address of a gateway.",
        ),
        ("https://gateway.example:port", "Gateway: The base URL is not the address of a gateway."),
        (
            "ftp://gateway.example",
            "Gateway: The base URL 'ftp://gateway.example' does not begin with http:// or https://.",
        ),
    ],
)
def test_an_address_that_is_none_is_said_where_it_is_shown(bare_shell, monkeypatch, capsys, address, shown):
    monkeypatch.setenv("XCYQ_BASE_URL", address)
    load_ipython_extension(bare_shell)
    bare_shell.run_cell("%chat")
    state = capsys.readouterr().out.split("\n")
    at = state.index(shown)
    assert "GatewaySettings.base_url = " in state[at + 1]
    asked = bare_shell.run_cell("%chat Hello").error_in_exec
    bare_shell.run_cell("%chat_sandbox\n%chat\n%chat_sandbox off")
    unload_ipython_extension(bare_shell)
    assert isinstance(asked, MissingKeyError | SettingError)
    out = capsys.readouterr().out
    assert "(the sandbox" in out
    assert out.endswith("\n".join(["The sandbox is off.", *state[at : at + 2], ""]))


# A .env without a key

NO_LINE = ".env was read, and has no line XCYQ_API_KEY=… with a key."


@pytest.mark.parametrize(
    "text",
    [f"OPENAI_API_KEY={KEY}\n", "XCYQ_API_KEY\n", "XCYQ_API_KEY=\n", "XCYQ_API_KEY=''\n", f"XCYQ_API_KEY: {KEY}", ""],
)
@pytest.mark.usefixtures("no_key")
def test_a_file_without_a_key_is_named_and_nothing_of_it_is_shown(run, lines, folder, text):
    (folder / ".env").write_text(text)
    run("%config GatewaySettings.base_url = 'https://gateway.invalid'")
    with pytest.raises(MissingKeyError) as raised:
        run("%chat Hello")
    assert raised.value.hint.startswith(f"{folder / NO_LINE} Set XCYQ_API_KEY, or enter it")
    state = lines("%chat")
    assert "API key: none." in state
    assert f"{folder / NO_LINE} Set" in state[-1]
    assert lines("%chat_sandbox auto")[0] == f"No API key is found. {folder / NO_LINE}"
    assert KEY not in "".join([str(raised.value), raised.value.hint, *state])


@pytest.mark.usefixtures("no_key")
def test_a_file_that_cannot_be_read_is_named(run, folder):
    (folder / ".env").mkdir()
    run("%config GatewaySettings.base_url = 'https://gateway.invalid'")
    with pytest.raises(MissingKeyError) as raised:
        run("%chat Hello")
    assert raised.value.hint.startswith(f"{folder / '.env'} cannot be read (Is a directory). Set XCYQ_API_KEY")


@pytest.mark.usefixtures("no_key")
def test_where_there_is_no_file_none_is_named(run):
    run("%config GatewaySettings.base_url = 'https://gateway.invalid'")
    with pytest.raises(MissingKeyError) as raised:
        run("%chat Hello")
    assert raised.value.hint == "Set XCYQ_API_KEY, or enter it with %chat_key, or work offline with %chat_sandbox."


def test_a_model_that_the_sandbox_does_not_have_is_said_when_it_begins(run, lines):
    assert not any("It has the models" in line for line in lines("%chat_sandbox"))
    run("%chat_sandbox off")
    run("%chat_model tiny-local")
    said = "It has the models of the gateway, not tiny-local: type %chat_model claude-sonnet-4-6."
    assert lines("%chat_sandbox")[-1] == said
    run("%chat_model claude-sonnet-4-6")
    run("%chat Hello")
