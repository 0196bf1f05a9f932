"""The settings: listed, set and refused by `%config`, read from `ipython_config.py`, named in the README."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from kernels import KEY, Kernel
from shells import shell_of
from traitlets import TraitError

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.errors import SettingError
from xcyq_magic.magics.extension import Extension
from xcyq_magic.settings import ChatSettings, GatewaySettings

README = Path(__file__).parents[1] / "README.md"
SETTINGS = [(cls, name) for cls in (ChatSettings, GatewaySettings) for name in cls.class_traits(config=True)]
WRONG = [
    (GatewaySettings, "base_url", "gateway.example", "http:// or https://"),
    (GatewaySettings, "base_url", "https://user:word@gateway.example", "user name or a password"),
    (GatewaySettings, "base_url", "http://", "no address"),
    (GatewaySettings, "auth_scheme", "two words", "one word"),
    (GatewaySettings, "auth_scheme", "Bea\u200brer", "one word"),
    (GatewaySettings, "read_timeout", -1, "more than 0 seconds"),
    (GatewaySettings, "connect_timeout", "soon", "float"),
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
    extension = Extension.of(loaded)
    settings = extension.gateway if cls is GatewaySettings else extension.chat
    before = getattr(settings, name)
    loaded.run_cell(f"%config {cls.__name__}.{name} = {value!r}")
    assert words in caplog.text  # IPython logs the refusal
    assert getattr(settings, name) == before


@pytest.mark.parametrize(
    ("cls", "name", "value", "kept"),
    [
        (GatewaySettings, "base_url", " http://127.0.0.1:11434/v1 ", "http://127.0.0.1:11434/v1"),
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


def test_every_setting_is_in_the_readme():
    text = README.read_text()
    assert [f"{cls.__name__}.{name}" for cls, name in SETTINGS if f"`{cls.__name__}.{name}`" not in text] == []


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
    assert "ipython_config.py" in shown
    assert len(shown.strip().split("\n")) <= 2
