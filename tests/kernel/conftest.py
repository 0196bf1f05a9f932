from __future__ import annotations

import os

import pytest
from kernels import KEY, Kernel


@pytest.fixture
def kernel(sandbox):
    """A kernel with the extension loaded, whose gateway is the test's sandbox."""
    running = Kernel({**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY})
    loaded = running.run("%load_ext xcyq_magic")
    assert loaded.status == "ok", "\n".join(loaded.error)
    yield running
    running.close(now=True)  # what it does at its end, others see: those that start it anew
