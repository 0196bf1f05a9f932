"""Other packages, each in a virtual environment of its own: their dependencies do not agree with each other."""

from __future__ import annotations

import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

# jupyter-ai looks for prices on the internet when it is loaded; that it takes longer without is not held against it.
SETTINGS = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xcyq_magic-benchmarks"


@dataclass(frozen=True)
class Peer:
    """A package to compare with, and what is installed for it."""

    name: str
    version: str
    also: tuple[str, ...] = ("ipykernel", "ipywidgets")

    @property
    def label(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}"

    def python(self) -> str:
        """The Python of its environment, which is made when there is none yet; that takes about a minute."""
        folder = CACHE / f"{self.name}-{self.version}"
        python, ready = folder / "bin" / "python", folder / "ready"
        if not ready.exists():
            venv.create(folder, with_pip=True, clear=True)
            packages = (f"{self.name}=={self.version}", *self.also)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
            ready.touch()
        return str(python)


CHATLAS = Peer("chatlas", "0.23.0", ("openai", "ipykernel", "ipywidgets"))
JUPYTER_AI = Peer("jupyter_ai_magic_commands", "0.0.4")
