"""Whose code a traceback shows: the user's, and not that of packages, wherever they are installed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path

import pytest

from xcyq_magic.media.text.sources import traceback_text

LIBRARY = "def outer(do):\n    secret = 1\n    return inner(do)\n\n\ndef inner(do):\n    other = 2\n    return do()\n"


@pytest.fixture
def shown(monkeypatch):
    """The traceback of a failure here, through a library in a folder or an archive."""

    def fail(path: Path) -> str:
        monkeypatch.syspath_prepend(str(path))
        monkeypatch.delitem(sys.modules, "called", raising=False)
        importlib.invalidate_caches()
        with pytest.raises(ZeroDivisionError) as raised:
            importlib.import_module("called").outer(lambda: 1 / 0)
        traceback.format_exception(raised.value)  # as IPython does: what is in an archive can be read from then on
        return traceback_text(raised.value).text

    yield fail
    sys.modules.pop("called", None)


def library_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "called.py").write_text(LIBRARY)
    return folder


@pytest.mark.parametrize(
    "folder",
    [
        "home/.local/lib/python3.11/site-packages",
        "AppData/Roaming/Python/Python311/site-packages",
        "project/.venv/lib/python3.12/site-packages",
        "project/.venv/Lib/Site-Packages",
        "usr/lib/python3/dist-packages",
        "opt/conda/envs/other/lib/python3.11/site-packages",
        "eggs/called-1.0-py3.11.egg",
    ],
)
def test_a_package_is_not_the_users_wherever_it_is_installed(shown, tmp_path, folder):
    text = shown(library_in(tmp_path / folder))
    assert "secret" not in text
    assert "… 2 more frames …" in text


@pytest.mark.parametrize("name", ["called-1.0-py3.11.egg", "called-1.0-py3-none-any.whl", "python311.zip"])
def test_a_package_in_an_archive_is_not_the_users(shown, tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("called.py", LIBRARY)
    assert "secret" not in shown(tmp_path / name)


@pytest.mark.parametrize("folder", ["project", "my-site-packages", "lib/python3.11", "IPython/notes", "ipykernel/x"])
def test_what_is_in_any_other_folder_is_the_users(shown, tmp_path, folder):
    text = shown(library_in(tmp_path / folder))
    assert "secret = 1" in text
    assert "more frame" not in text


def test_what_begins_with_the_standard_librarys_name_is_the_users(shown, tmp_path, monkeypatch):
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path / "python3.1"))
    assert "secret = 1" in shown(library_in(tmp_path / "python3.11"))
    assert "secret" not in shown(library_in(tmp_path / "python3.1/json"))


def test_a_real_user_site_is_not_the_users(tmp_path):
    """With the Python that this environment is made of: in a virtual environment there is no user site."""
    environment = {**os.environ, "PYTHONUSERBASE": str(tmp_path / "base"), "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("PYTHONNOUSERSITE", None)
    python = getattr(sys, "_base_executable", sys.executable)
    asked = [python, "-m", "site", "--user-site"]
    folder = subprocess.run(asked, capture_output=True, text=True, env=environment, check=False, timeout=60).stdout
    library_in(Path(folder.strip()))
    script = tmp_path / "mine.py"
    script.write_text(
        "from xcyq_magic.media.text.sources import traceback_text\nimport called\n"
        "try:\n    called.outer(lambda: 1 / 0)\nexcept ZeroDivisionError as e:\n    print(traceback_text(e).text)\n"
    )
    done = subprocess.run([python, script], capture_output=True, text=True, env=environment, check=True, timeout=60)
    assert "mine.py, line 4" in done.stdout
    assert "secret" not in done.stdout
