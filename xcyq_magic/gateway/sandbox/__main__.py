"""Run the sandbox alone: ``python -m xcyq_magic.gateway.sandbox --port 8765``."""

from __future__ import annotations

import argparse
import sys
import threading

from xcyq_magic.errors import XcyqError
from xcyq_magic.gateway.sandbox.server import Sandbox


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m xcyq_magic.gateway.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8765, help="default 8765; 0 for any free one")
    parser.add_argument("--key", default="sandbox", help="the only API key that it accepts; default sandbox")
    options = parser.parse_args()
    if not options.key:
        parser.error("--key cannot be empty")
    try:
        sandbox = Sandbox(options.port, options.key)
    except XcyqError as e:
        parser.exit(1, f"{e}\n")
    # The key is shown because it opens nothing but this sandbox.
    sys.stdout.write(f"The sandbox answers at {sandbox.base_url} for the key {options.key!r}. Ctrl-C ends it.\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        sandbox.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
