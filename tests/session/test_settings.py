"""The settings: listed, set and refused by `%config`, read from `ipython_config.py`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from kernels import KEY, Kernel
from shells import shell_of
from traitlets import TraitError
from traitlets.config import Config

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import SettingError
from xcyq_magic.gateway.route import endpoint, without_secrets
from xcyq_magic.magics.context import Context
from xcyq_magic.session.settings import DEFAULT_BASE_URL, ChatSettings, GatewaySettings

SETTINGS = [(cls, name) for cls in (ChatSettings, GatewaySettings) for name in cls.class_traits(config=True)]
WRONG = [
    (GatewaySettings, "base_url", "gateway.example", "http:// or https://"),
    (GatewaySettings, "base_url", "https://user:word@gateway.example", "user name or a password"),
    (GatewaySettings, "base_url", "http://", "not the address"),
    (GatewaySettings, "auth_scheme", "two words", "one word"),
    (GatewaySettings, "auth_scheme", "Bea\u200brer", "one word"),
    (GatewaySettings, "read_timeout", -1, "more than 0 seconds"),
    (GatewaySettings, "connect_timeout", "soon", "float"),
    (GatewaySettings, "answer_timeout", 0, "more than 0 seconds"),
    (GatewaySettings, "prices", {"gpt-5.5": (1, -1)}, "two numbers"),
    (GatewaySettings, "prices", {"gpt-5.5": 3}, "two numbers, yours for a million tokens in and out"),
    (GatewaySettings, "max_video_mb", 0, "more than 0 MB"),
    (GatewaySettings, "video_form", "mp4", "video_url"),
    (ChatSettings, "model", "gpt 5.5", "one word"),
    (ChatSettings, "model", " ", "one word"),
    (ChatSettings, "value_chars", 5, "200"),
    (ChatSettings, "keep_media", -2, "0"),
    (ChatSettings, "stream", "yes", "boolean"),
]


@pytest.fixture(scope="module")
def loaded():
    """A shell with the extension, for what sends nothing."""
    with shell_of() as shell:
        load_ipython_extension(shell)
        yield shell
        unload_ipython_extension(shell)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w[1]}={w[2]!r}")
def test_a_wrong_value_is_refused_at_once(loaded, caplog, wrong):
    cls, name, value, words = wrong
    with pytest.raises(TraitError, match=re.escape(words)):
        cls(**{name: value})
    extension = Context.of(loaded)
    settings = extension.gateway if cls is GatewaySettings else extension.chat
    before = getattr(settings, name)
    loaded.run_cell(f"%config {cls.__name__}.{name} = {value!r}")
    assert words in caplog.text  # IPython logs the refusal
    assert getattr(settings, name) == before


MENDED = re.compile(r"(?:For example: |%config )(\w+\.\w+ = .*?)[.?]?$", re.MULTILINE)


@pytest.mark.parametrize(
    "wrong",
    [*((cls, name, wrong) for cls, name in SETTINGS for wrong in ([1], -7)), *(w[:3] for w in WRONG)],
    ids=lambda w: f"{w[1]}={w[2]!r}",
)
def test_a_value_that_is_refused_says_one_that_is_taken(loaded, caplog, capsys, wrong):
    cls, name, value = wrong
    loaded.run_cell(f"%config {cls.__name__}.{name} = {value!r}")
    said = "\n".join(r.getMessage() for r in caplog.records)
    mended = MENDED.search(said)
    if "holds an @" in said:
        assert "Leave it out; %chat_key asks for the key." in said
        return
    assert mended, said
    caplog.clear()
    assert loaded.run_cell(f"%config {mended[1]}").success
    assert caplog.text == ""
    assert "rror" not in "".join(capsys.readouterr())
    assert f"{cls.__name__}.{name} = " in mended[1]


def test_a_value_that_config_refuses_fails_no_cell_as_the_readme_says(loaded, caplog):
    assert loaded.run_cell("%config ChatSettings.value_chars = 'x'").success
    assert "ERROR    root:" in caplog.text
    assert "For example: ChatSettings.value_chars = 4000" in caplog.text


@pytest.mark.parametrize("wrong", WRONG, ids=lambda w: f"{w[1]}={w[2]!r}")
@pytest.mark.parametrize("environment", [{}, {"XCYQ_MODEL": "gpt-5.5-low", "XCYQ_BASE_URL": "https://gateway.example"}])
def test_a_wrong_value_leaves_what_nobody_has_read_yet(monkeypatch, wrong, environment):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    cls, name, value, words = wrong
    settings, untouched = cls(), cls()
    other = "read_timeout" if cls is GatewaySettings else "compare_limit"
    refused = Config({cls.__name__: {other: 17, name: value}} if name != other else {cls.__name__: {name: value}})
    with pytest.raises(TraitError, match=re.escape(words)):
        settings.update_config(refused)
    for each in cls.class_trait_names(config=True):
        assert getattr(settings, each) == getattr(untouched, each)


def test_a_wrong_value_in_a_cell_leaves_the_default_of_the_environment(monkeypatch, caplog):
    monkeypatch.setenv("XCYQ_MODEL", "gpt-5.5-low")
    with shell_of() as shell:
        load_ipython_extension(shell)
        shell.run_cell('%config ChatSettings.model = "two words"')
        assert "one word" in caplog.text
        assert shell.run_cell("%config ChatSettings.model").result == "gpt-5.5-low"
        unload_ipython_extension(shell)
        load_ipython_extension(shell)  # the shell did not keep it either
        assert shell.run_cell("%config ChatSettings.model").result == "gpt-5.5-low"
        unload_ipython_extension(shell)


# What stands before an @ may be a password

SECRET_URLS = [
    f"{before}{user}{at}gateway.example/path"
    for before in ("https://", "http://", " HTTPS://", "ftp://", "//", "http:/", "")
    for user in ("u:pa/pw", "u:pa#pw", "u:pa?pw", "u:pa\\pw", "u:pa pw", "u:pa@pw", "u:1/pw", "pw", "u:[pw", "u:pw\n")
    for at in ("@", "@@", "%40", "\uff20")
]


def test_no_password_of_a_base_url_is_shown(monkeypatch, caplog, capsys):
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    with shell_of() as shell:
        for url in SECRET_URLS[::9]:
            monkeypatch.setenv("XCYQ_BASE_URL", url)
            load_ipython_extension(shell)
            for code in ("%chat", "%config GatewaySettings", "%chat_sandbox off"):
                shell.run_cell(code)
            assert isinstance(shell.run_cell("%chat Hello").error_in_exec, SettingError)
            unload_ipython_extension(shell)
        monkeypatch.delenv("XCYQ_BASE_URL")
        load_ipython_extension(shell)
        for url in SECRET_URLS[::9]:
            shell.run_cell(f"%config GatewaySettings.base_url = {url!r}")
        unload_ipython_extension(shell)
    with shell_of(GatewaySettings={"base_url": SECRET_URLS[0]}) as shell:
        assert isinstance(shell.run_cell("%load_ext xcyq_magic").error_in_exec, SettingError)
    shown = caplog.text + "".join(capsys.readouterr())
    assert shown.count("holds an @") > 2 * len(SECRET_URLS[::9])
    assert [line for line in shown.split("\n") if "pw" in line] == []


@pytest.mark.parametrize("url", SECRET_URLS)
def test_no_error_repeats_a_password(url):
    with pytest.raises(SettingError) as raised:
        endpoint(url)
    assert "pw" not in str(raised.value)
    assert "pw" not in without_secrets(url)


@pytest.mark.parametrize(
    ("cls", "name", "value", "kept"),
    [
        (GatewaySettings, "base_url", " http://127.0.0.1:11434/v1 ", "http://127.0.0.1:11434/v1"),
        (GatewaySettings, "base_url", "", DEFAULT_BASE_URL),
        (GatewaySettings, "base_url", " ", DEFAULT_BASE_URL),
        (GatewaySettings, "auth_scheme", "", ""),
        (ChatSettings, "model", "a-model-of-tomorrow", "a-model-of-tomorrow"),
    ],
)
def test_a_good_value_is_kept_without_white_space(cls, name, value, kept):
    assert getattr(cls(**{name: value}), name) == kept


@pytest.mark.parametrize("cls", [ChatSettings, GatewaySettings])
def test_every_setting_is_listed_with_its_type_its_help_and_its_value(loaded, capsys, cls):
    loaded.run_cell(f"%config {cls.__name__}")
    listed = " ".join(capsys.readouterr().out.split())
    for name, trait in cls.class_traits(config=True).items():
        assert f"{cls.__name__}.{name}=<" in listed
        assert " ".join(trait.help.split()) in listed
        assert trait.help
    assert listed.count("Current:") == len(cls.class_traits(config=True))


def write_config(*lines: str) -> None:
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text("\n".join(["c = get_config()", *lines]))


def test_a_kernel_reads_ipython_config(sandbox):
    write_config(
        'c.InteractiveShellApp.extensions = ["xcyq_magic"]',
        'c.ChatSettings.model = "gpt-5.5-low"',
        'c.ChatSettings.system = "Be brief."',
        f'c.GatewaySettings.base_url = "{sandbox.base_url}"',
    )
    kernel = Kernel({**os.environ, "XCYQ_API_KEY": KEY, "XCYQ_MODEL": "gpt-5.4"})
    ran = kernel.run("%chat Hello")
    kernel.close()
    assert ran.status == "ok", ran.error
    assert sandbox.received[0].body["model"] == "gpt-5.5-low"
    assert sandbox.received[0].body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_a_wrong_value_in_the_configuration_is_a_line_or_two(capsys):
    with shell_of(ChatSettings={"model": "gpt 5.5"}) as shell:
        result = shell.run_cell("%load_ext xcyq_magic")
        assert isinstance(result.error_in_exec, SettingError)
        assert "chat" not in shell.magics_manager.magics["cell"]
    shown = capsys.readouterr().out
    assert "one word, not 'gpt 5.5'" in shown
    assert "For example: ChatSettings.model = 'claude-sonnet-4-6'" in shown
    assert "ipython_config.py" in shown
    assert len(shown.strip().split("\n")) <= 2
