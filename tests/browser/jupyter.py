"""JupyterLab or Notebook 7 in headless Chromium, as a person sees it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
from kernels import AT_ONCE, KEY, TRANSPORT

from xcyq_magic.gateway.sandbox.server import Sandbox

OUTPUT = Path(__file__).parents[1] / "output"
START_S = 60.0
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The path of a Chromium; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next((p for n in names if (p := shutil.which(n))), None)


def _settings(home: Path, theme: str, windowing: str | None) -> Path:
    """JupyterLab's settings: the theme, which cells it draws, and no look-ups on the internet."""
    chosen = {
        "apputils-extension/themes": {"theme": f"JupyterLab {theme.title()}"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": windowing} if windowing else {},
    }
    for name, value in chosen.items():
        path = home / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    return home / "settings"


def _free_port() -> int:
    """Return a port below those that the system gives away: the server takes it seconds later."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def server(
    root: Path,
    home: Path,
    *,
    app: str = "lab",
    theme: str = "light",
    windowing: str | None = None,
    env: dict[str, str] | None = None,
):
    """A Jupyter server over `root` on loopback; yields its address. `home` holds all that it writes.

    With the `windowing` mode ``none`` every cell is drawn, in sight or not; None is JupyterLab's own mode.
    """
    port = _free_port()
    places = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTERLAB_SETTINGS_DIR": _settings(home, theme, windowing),
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
    }
    class_name = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}[app]
    command = [
        *(sys.executable, "-m", {"lab": "jupyterlab", "notebook": "notebook"}[app]),
        *("--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root", "--IdentityProvider.token="),
        *("--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={root}"),
        f"--{class_name}.expose_app_in_browser=True",
        f"--KernelManager.transport={TRANSPORT}",
    ]
    log = home / "server.log"
    home.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, **{k: str(v) for k, v in places.items()}, **(env or {})},
            stdout=out,
            stderr=out,
            cwd=root,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        _end(url, process)


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"{url}/api/status", timeout=2).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()[-2000:]) from None
            time.sleep(0.2)
        else:
            return


def _end_kernels(url: str) -> None:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/api/kernels", timeout=5) as answer:
        for kernel in json.load(answer):
            request = urllib.request.Request(f"{url}/api/kernels/{kernel['id']}", method="DELETE")
            with contextlib.suppress(OSError):
                urllib.request.urlopen(request, timeout=10).close()


def _end(url: str, process: subprocess.Popen) -> None:
    _end_kernels(url)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def browser(profile: Path, width: int = 1100, height: int = 900, scale: float = 1):
    """A fresh headless Chromium, with `scale` pixels of its screen for one of a page; yields a playwright page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=chromium(),
            headless=True,
            args=FLAGS,
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
        )
        try:
            yield context.pages[0] if context.pages else context.new_page()
        finally:
            context.close()


# Notebook 7.6 logs this when it opens any notebook, also without an extension and with default settings.
NOT_OURS = "Cannot read properties of undefined (reading 'schema')"


def write_notebook(path: Path, *cells: str, metadata: dict | None = None) -> Path:
    """Write a notebook of code cells, each with `metadata`; returns its path."""
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c, metadata=metadata or {}) for c in cells])
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(node, path)
    return path


class NotebookPage:
    """One open notebook. `foreign` and `errors` collect what should not be."""

    PANEL = "(window.jupyterapp.shell.currentWidget || [...window.jupyterapp.shell.widgets('main')][0])"

    def __init__(self, page, url: str, name: str, app: str = "lab") -> None:
        self.page = page
        self.output = OUTPUT
        OUTPUT.mkdir(exist_ok=True)
        self.foreign: list[str] = []
        self.errors: list[str] = []
        own = (url, url.replace("http", "ws", 1), "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else self.foreign.append(r.url))
        page.on("pageerror", lambda e: self._note(str(e)))
        page.on("console", lambda m: self._note(m.text) if m.type == "error" else None)
        folder = "doc/tree" if app == "lab" else "notebooks"
        page.goto(f"{url}/{folder}/{name}?reset", wait_until="domcontentloaded")
        page.wait_for_selector(".jp-Notebook", timeout=60_000)
        idle = f"() => window.jupyterapp && {self.PANEL}?.sessionContext?.session?.kernel?.status === 'idle'"
        page.wait_for_function(idle, timeout=60_000)

    def _note(self, error: str) -> None:
        if NOT_OURS not in error:
            self.errors.append(error[:300])

    def js(self, expression: str):
        return self.page.evaluate(expression)

    def start_all(self) -> None:
        """Start all cells and return at once."""
        run = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
        self.js(f"() => {{ window.done = false; {run}.then(() => {{ window.done = true }}); return true }}")

    def wait(self, timeout_s: float = 120) -> None:
        """Wait for the cells that `start_all` started, until the first that fails: with it, the command ends."""
        self.page.wait_for_function("() => window.done === true", timeout=timeout_s * 1000)

    def wait_for_last(self, timeout_s: float = 120) -> None:
        """Wait until the last cell has run, whichever of those before it failed."""
        counted = f"{self.PANEL}.content.widgets.at(-1).model.executionCount !== null"
        idle = f"{self.PANEL}.sessionContext.session.kernel.status === 'idle'"
        self.page.wait_for_function(f"() => {counted} && {idle}", timeout=timeout_s * 1000)

    def start(self, index: int) -> None:
        """Start one cell, from 0, and return at once."""
        self.js(
            f"() => {{ {self.PANEL}.content.activeCellIndex = {index};"
            " window.jupyterapp.commands.execute('notebook:run-cell'); return true }"
        )

    def has_run(self, index: int) -> bool:
        """Whether that cell, from 0, has run to its end."""
        return self.js(f"() => {self.PANEL}.content.widgets[{index}].model.executionCount !== null")

    def run(self, index: int) -> None:
        """Run one cell, from 0, to its end."""
        self.js(
            f"async () => {{ {self.PANEL}.content.activeCellIndex = {index};"
            " await window.jupyterapp.commands.execute('notebook:run-cell') }"
        )

    def save(self) -> None:
        self.js(f"async () => {{ await {self.PANEL}.context.save() }}")

    @contextlib.contextmanager
    def whole(self):
        """The window as tall as the notebook: JupyterLab draws only the cells that are in sight."""
        size = self.page.viewport_size
        for _ in range(2):  # cells that come into sight make it taller
            tall = self.js(
                "() => (document.querySelector('.jp-WindowedPanel-outer') "
                "?? document.querySelector('.jp-Notebook')).scrollHeight + 200"
            )
            self.page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(8000, int(tall)))})
            self.js("() => { const o = document.querySelector('.jp-WindowedPanel-outer'); if (o) o.scrollTop = 0 }")
            self.page.wait_for_timeout(400)
        yield
        self.page.set_viewport_size(size)

    def outputs(self) -> list[str]:
        """The text of each cell's output area, as it is on the screen."""
        with self.whole():
            return self.js(
                "() => [...document.querySelectorAll('.jp-CodeCell')].map(c => "
                "[...c.querySelectorAll('.jp-OutputArea-output')].map(o => o.innerText).join('\\n'))"
            )

    def picture(self, name: str) -> None:
        """A picture of the whole notebook in the tests' output folder."""
        with self.whole():
            self.page.screenshot(path=str(self.output / f"{name}.png"))


class Jupyters:
    """Servers over the folder `root`, one for each app and theme, a browser, and the sandbox that their kernels ask.

    Each starts when it is needed first. They are for many tests: to start them, and to load JupyterLab into an empty
    cache, takes longer than most tests do.
    """

    def __init__(self, home: Path) -> None:
        self.root = home / "work"
        self.root.mkdir()
        self._home = home
        self._running = contextlib.ExitStack()
        self._urls: dict[tuple[str, str], str] = {}
        self._context = None
        self._gateway: Sandbox | None = None

    @property
    def gateway(self) -> Sandbox:
        if self._gateway is None:
            self._gateway = self._running.enter_context(contextlib.closing(Sandbox(key=KEY, plan=AT_ONCE)))
        return self._gateway

    def open(
        self, path: Path, app: str = "lab", theme: str = "light", width: int = 1100, height: int = 900
    ) -> NotebookPage:
        """Open a notebook in a page of its own."""
        if (app, theme) not in self._urls:
            env = {"XCYQ_BASE_URL": self.gateway.base_url, "XCYQ_API_KEY": KEY}
            running = server(self.root, self._home / f"{app}-{theme}", app=app, theme=theme, env=env)
            self._urls[app, theme] = self._running.enter_context(running)
        if self._context is None:
            self._context = self._running.enter_context(browser(self._home / "profile")).context
        page = self._context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        return NotebookPage(page, self._urls[app, theme], path.relative_to(self.root).as_posix(), app)

    def clear(self) -> None:
        """Close all notebooks and end their kernels."""
        for page in self._context.pages[1:] if self._context else ():  # without a page the browser would end
            page.close()
        for url in self._urls.values():
            _end_kernels(url)

    def close(self) -> None:
        """End all that runs; what is opened then starts anew."""
        self._running.close()
        self._urls.clear()
        self._context = self._gateway = None
