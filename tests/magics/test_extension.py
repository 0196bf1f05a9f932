"""Loading gives, unloading gives back."""

from __future__ import annotations

import contextlib
import gc
import json
import signal
import subprocess
import sys
import threading
import warnings

import pytest
from IPython import get_ipython
from servers import eventually
from shells import shell_of
from traitlets import TraitError

from xcyq_magic import load_ipython_extension, unload_ipython_extension
from xcyq_magic.api import Chat
from xcyq_magic.errors import InputError, XcyqError
from xcyq_magic.magics.context import Context
from xcyq_magic.magics.extension import MAGICS, Extension
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

OURS = {
    "chat",
    "chat_code",
    "chat_error",
    "chat_history",
    "chat_key",
    "chat_load",
    "chat_model",
    "chat_models",
    "chat_reset",
    "chat_retry",
    "chat_sandbox",
    "chat_save",
    "chat_switch",
    "chat_system",
    "chat_undo",
}


def snapshot(shell) -> dict:
    """All that an extension could have left behind."""
    formatter = shell.display_formatter.mimebundle_formatter
    return {
        "line": dict(shell.magics_manager.magics["line"]),
        "cell": dict(shell.magics_manager.magics["cell"]),
        "registry": dict(shell.magics_manager.registry),
        "configurables": list(shell.configurables),
        "events": {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()},
        "tokens": list(shell.input_transformer_manager.token_transformers),
        "lines": list(shell.input_transformer_manager.line_transforms),
        "cleanup": [id(t) for t in shell.input_transformer_manager.cleanup_transforms],
        "matchers": list(shell.Completer.custom_matchers),
        "printers": (dict(formatter.deferred_printers), dict(formatter.type_printers)),
        "threads": {t.name for t in threading.enumerate() if "xcyq" in t.name},
    }


def test_unloading_gives_everything_back_also_after_use(bare_shell, monkeypatch, capsys):
    bare_shell.run_cell("%load_ext autoreload").raise_error()  # IPython loads some of its own magics on the way
    before = snapshot(bare_shell)
    load_ipython_extension(bare_shell)
    assert set(bare_shell.magics_manager.magics["line"]) >= OURS
    bare_shell.run_cell("%chat_sandbox").raise_error()
    bare_shell.run_cell("%chat Hello").raise_error()
    bare_shell.run_cell("_reply").raise_error()
    assert snapshot(bare_shell)["threads"]
    unload_ipython_extension(bare_shell)
    assert snapshot(bare_shell) == before
    unload_ipython_extension(bare_shell)  # once more is harmless
    capsys.readouterr()


def test_ipythons_own_magics_of_the_same_names_stay_where_they_are(shell):
    for ours in MAGICS:
        with contextlib.suppress(KeyError):  # IPython has none of this name
            assert type(shell.magics_manager.registry[ours.__name__]).__module__.startswith("IPython.")
    assert "CodeMagics" in shell.magics_manager.registry


def test_loading_twice_is_harmless(shell, run, sandbox):
    run("%chat one")
    run("%load_ext xcyq_magic")
    before = snapshot(shell)
    load_ipython_extension(shell)
    run("%load_ext xcyq_magic")
    assert snapshot(shell) == before
    run("%chat two")
    assert len(sandbox.received[-1].body["messages"]) == 3


def test_reloading_works(bare_shell, capsys):
    bare_shell.run_cell("%load_ext xcyq_magic").raise_error()
    bare_shell.run_cell("%reload_ext xcyq_magic").raise_error()
    bare_shell.run_cell("%chat_sandbox").raise_error()
    bare_shell.run_cell("%chat Hello").raise_error()
    bare_shell.run_cell("%unload_ext xcyq_magic").raise_error()
    assert "chat" not in bare_shell.magics_manager.magics["cell"]
    capsys.readouterr()


def test_ours_wins_over_another_extension_and_says_so(bare_shell, capsys):
    def chat(line, cell=None):
        return "theirs"

    bare_shell.register_magic_function(chat, "line_cell")
    load_ipython_extension(bare_shell)
    out = capsys.readouterr().out
    assert "%%chat was" in out
    assert "%unload_ext xcyq_magic gives it back" in out
    unload_ipython_extension(bare_shell)
    assert bare_shell.run_cell_magic("chat", "", "x") == "theirs"


def test_what_somebody_put_in_place_of_ours_stays(bare_shell):
    load_ipython_extension(bare_shell)
    bare_shell.register_magic_function(lambda *_: "theirs", "line_cell", "chat")
    unload_ipython_extension(bare_shell)
    assert bare_shell.run_cell_magic("chat", "", "x") == "theirs"
    assert "chat_model" not in bare_shell.magics_manager.magics["line"]


def test_each_shell_has_its_own_session(shell, sandbox, run):
    run("%chat one")
    with shell_of() as other:
        load_ipython_extension(other)
        assert Extension.of(other) is not Extension.of(shell)
        other.run_cell("%chat two").raise_error()
        assert len(sandbox.received[-1].body["messages"]) == 1
        unload_ipython_extension(other)
    run("%chat three")
    assert len(sandbox.received[-1].body["messages"]) == 3


def test_settings_are_listed_set_and_checked(run, shell, sandbox, capsys):
    run("%config ChatSettings")
    assert "ChatSettings.model" in capsys.readouterr().out
    run("%config ChatSettings.model = 'gpt-5.4'")
    run("%config ChatSettings.system = 'Be brief.'")
    run("%config ChatSettings.stream = False")
    run("%chat Hello")
    assert sandbox.received[-1].body["model"] == "gpt-5.4"
    assert sandbox.received[-1].body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "stream" not in sandbox.received[-1].body
    run("%config GatewaySettings.read_timeout = 0")  # IPython logs the refusal
    assert Context.of(shell).gateway.read_timeout == 180
    with pytest.raises(TraitError, match="more than 0 seconds"):
        Context.of(shell).gateway.read_timeout = -1


def test_the_configuration_file_is_read():
    with shell_of(ChatSettings={"model": "gpt-5.5-low"}) as shell:
        load_ipython_extension(shell)
        assert Context.of(shell).chat.model == "gpt-5.5-low"
        unload_ipython_extension(shell)


def test_the_environment_gives_the_defaults(monkeypatch):
    monkeypatch.setenv("XCYQ_MODEL", "gemini-2.5-pro")
    monkeypatch.setenv("XCYQ_BASE_URL", "https://gateway.example/path")
    assert ChatSettings().model == "gemini-2.5-pro"
    assert GatewaySettings().base_url == "https://gateway.example/path"


HEAVY = ["httpx", "markdown", "nh3", "pygments", "PIL", "numpy", "matplotlib", "tornado", "sqlite3", "ipywidgets"]
COUNT = """
import json, sys
before = set(sys.modules)
get_ipython().run_line_magic("load_ext", "xcyq_magic")
new = sorted(set(sys.modules) - before)
print("NEW" + json.dumps(new))
"""


def test_loading_imports_nothing_heavy():
    command = [sys.executable, "-m", "IPython", "--no-banner", "--HistoryManager.enabled=False", "-c", COUNT]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    new = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("NEW"))[3:])
    assert [name for name in new if name.split(".")[0] in HEAVY] == []
    others = [name for name in new if not name.startswith("xcyq_magic")]
    assert len(new) <= 43, others


def test_importing_the_package_alone_imports_no_other_package():
    code = "import sys; import xcyq_magic; print(*{'IPython', 'traitlets', 'httpx', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""


# What outlives the extension, and what does not


def ours() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith(("xcyq", "asyncio"))} - {"xcyq_magic sandbox"}


@pytest.fixture
def loaded(run):
    """Loaded as users do it, so that IPython knows of it."""
    run("%load_ext xcyq_magic")


RELOADS = ["%reload_ext xcyq_magic", "%unload_ext xcyq_magic\n%load_ext xcyq_magic"]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("again", RELOADS)
def test_what_was_offline_stays_offline_when_it_is_loaded_again(run, sandbox, capsys, again):
    run("%chat_sandbox")
    run("%chat Hello")
    for _ in range(2):  # the second time, nothing was asked in between
        capsys.readouterr()
        run(again)
        assert "sandbox on this machine, as before. %chat_sandbox off" in capsys.readouterr().out
    run("%chat Hello")
    assert sandbox.received == []
    run("%chat_sandbox off")
    capsys.readouterr()
    run(again)
    assert capsys.readouterr().out == ""
    run("%chat Hello")
    assert len(sandbox.received) == 1


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("again", RELOADS)
def test_a_server_and_a_key_of_ones_own_stay_when_it_is_loaded_again(run, sandbox, monkeypatch, capsys, again):
    run(f"%config GatewaySettings.base_url = 'http://127.0.0.1:{sandbox.port}/gw_llm_power'")
    run("%config ChatSettings.store = ':memory:'")
    monkeypatch.setenv("XCYQ_BASE_URL", "http://127.0.0.1:9")  # where nothing listens
    monkeypatch.setattr("getpass.getpass", lambda _: "sandbox-test-key")
    run("%chat_key")
    monkeypatch.setenv("XCYQ_API_KEY", "another-key")
    for _ in range(2):
        run(again)
    run("%chat Hello")
    assert len(sandbox.received) == 1
    monkeypatch.delenv("XCYQ_BASE_URL")


@pytest.mark.usefixtures("loaded")
def test_what_the_environment_says_is_read_anew_when_it_is_loaded_again(run, sandbox, monkeypatch):
    monkeypatch.setenv("XCYQ_MODEL", "gpt-5.5")
    run("%reload_ext xcyq_magic")
    run("%chat Hello")
    monkeypatch.setenv("XCYQ_MODEL", "gpt-5.4")
    run("%reload_ext xcyq_magic\n%chat_reset")
    run("%chat Hello")
    assert [r.body["model"] for r in sandbox.received] == ["gpt-5.5", "gpt-5.4"]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("name", ["None", "'review'"])
def test_a_chat_says_that_its_session_ended_and_goes_on_when_it_is_loaded_again(run, sandbox, shell, name):
    run(f"from xcyq_magic import Chat\nchat, unused = Chat(conversation={name}), Chat()\nchat('one')")
    run("%unload_ext xcyq_magic")
    before = ours()
    for code in ("chat('two')", "unused('two')"):
        with pytest.raises(InputError, match="extension unloaded; nothing was sent"):
            run(code)
    assert (ours(), len(sandbox.received)) == (before, 1)
    run("%load_ext xcyq_magic")
    run("chat('three')")
    assert len(sandbox.received[-1].body["messages"]) == 3
    run("%reload_ext xcyq_magic")
    run("chat('four')")
    run("%unload_ext xcyq_magic")
    assert ours() == set()


STATES = {
    "a stopped reply": "chat = Chat()\nstop()\nchat('sandbox: markdown 900\\nsandbox: stall 40')",
    "a reply in the background": "get_ipython().run_cell_magic('chat', '--background', 'sandbox: stall 40')",
    "a reply of a thread": "start('sandbox: first 0\\nsandbox: markdown 900\\nsandbox: stall 40')",
    "a failed reply": "Chat()('sandbox: drop 5')",
    "the sandbox": "%chat_sandbox\n%chat Hello",
    "a store that nobody asked": "%chat_history",
}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("state", STATES)
def test_unloading_leaves_no_thread_and_nothing_open(run, sandbox, monkeypatch, tmp_path, state):
    monkeypatch.setenv("XCYQ_BASE_URL", sandbox.base_url.replace("127.0.0.1", "localhost"))  # a thread looks it up
    threads, before = [], set(threading.enumerate())

    def start(prompt: str) -> None:
        def ask() -> None:
            with contextlib.suppress(XcyqError):
                Chat(conversation="review")(prompt)

        threads.append(threading.Thread(target=ask))
        threads[0].start()
        assert eventually(lambda: sandbox.received and sandbox.received[-1].chars_sent)

    def stop() -> None:
        def interrupt() -> None:
            assert eventually(lambda: sandbox.received and sandbox.received[-1].chars_sent)
            signal.raise_signal(signal.SIGINT)

        threads.append(threading.Thread(target=interrupt))
        threads[0].start()

    get_ipython().push({"start": start, "stop": stop, "Chat": Chat})
    run(f"%config ChatSettings.store = {str(tmp_path / 'kept.sqlite')!r}\n%reload_ext xcyq_magic")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        get_ipython().run_cell(STATES[state])
        run("%unload_ext xcyq_magic")
        for thread in threads:
            thread.join(5)
        gc.collect()
    assert [str(w.message) for w in caught if w.category is ResourceWarning] == []
    assert {t for t in threading.enumerate() if t.name != "IPythonHistorySavingThread"} <= before
    assert not [
        p for p in tmp_path.iterdir() if p.name.endswith(("-wal", "-shm"))
    ]  # the last connection takes them away
