"""A session from end to end, also run by CI with the lowest versions that `pyproject.toml` allows."""

from __future__ import annotations

from kernels import TIMEOUT_S, turn_of

FIGURE = """
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt, numpy as np, pandas as pd
figure, axes = plt.subplots()
axes.plot(np.arange(3))
frame = pd.DataFrame({"height": [1.5, 2.5]})
"""


def test_chat_figure_comparison_completion_save_and_load(kernel, sandbox, tmp_path):
    def run(code: str):
        ran = kernel.run(code)
        assert ran.status == "ok", "\n".join(ran.error)
        return ran

    run(FIGURE)
    ran = run("%%chat -m gpt-5.5\nSee {{ figure }} and {{ frame }}, **kept**.")
    assert turn_of(ran)["completion"]["finish_reason"] == "stop"
    picture, text = sandbox.received[-1].body["messages"][0]["content"][1:]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert "height" in text["text"]
    assert "<table" in ran.outputs[0]["text/html"]
    compared = run("%%compare gpt-5.5 gemini-2.5-pro\nHello")
    assert kernel.value("len(_comparison)") == "2"
    assert "gemini-2.5-pro" in compared.outputs[0]["text/html"]
    code = "%chat -m claude-opus-4-"
    matches = kernel.client.complete(code, len(code), reply=True, timeout=TIMEOUT_S)["content"]["matches"]
    assert any("claude-opus-4-7" in m for m in matches)
    for kind in ("json", "ipynb"):
        file = tmp_path / f"talk.{kind}"
        run(f"%chat_save {file}")
        run("%chat_reset")
        run(f"%chat_load {file}")
        run("%chat And now?")
        said = sandbox.received[-1].body["messages"]
        assert [m["role"] for m in said] == ["user", "assistant", "user"], kind
        assert "kept" in str(said[0]), kind
        run("%chat_undo")
