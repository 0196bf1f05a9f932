"""A notebook whose every request was answered before runs again without a key and without a server."""

from __future__ import annotations

import os

from kernels import KEY, Kernel

FAST = "sandbox: first 0\nsandbox: pace 5000 40\n"
CELLS = [
    "from xcyq_magic import Chat, ask_each, compare",
    f"%%chat --cached --once\n{FAST}One.",
    f"%%compare gpt-5.5 claude-opus-4-7 --cached --once --judge gemini-2.5-pro\n{FAST}Two.",
    f"%%chat --each ['a', 'b'] --as int\n{FAST}Three: {{{{ row }}}}",
    f"%%compare gpt-5.5 gpt-5.4 --each ['a', 'b'] --judge claude-sonnet-4-6\n{FAST}Four: {{{{ row }}}}",
    f"Chat(cached=True)({FAST!r} + 'Five.', once=True).text",
    f"[c.text for c in compare('gpt-5.5 gpt-5.4', {FAST!r} + 'Six.', fresh=False).columns]",
    f"[r.text for r in ask_each(['a', 'b'], {FAST!r} + 'Seven: {{row}}')]",
]


def said_by(kernel) -> str:
    """What the replies of all cells say."""
    ran = [kernel.run(cell, cell_id=f"cell-{n}") for n, cell in enumerate(["%load_ext xcyq_magic", *CELLS])]
    assert [r.status for r in ran] == ["ok"] * len(ran), [r.error for r in ran]
    results = [o["text/plain"] for r in ran[-3:] for o in r.outputs]
    return kernel.value("[_reply.text, [r.text for r in _rows]]") + "".join(results)


def test_it_runs_again_without_a_key_and_without_a_server(sandbox, tmp_path):
    place = {"IPYTHONDIR": str(tmp_path), "XCYQ_BASE_URL": sandbox.base_url}
    first = Kernel({**os.environ, **place, "XCYQ_API_KEY": KEY})
    said = said_by(first)
    first.close()
    sent = len(sandbox.received)
    assert sent == 1 + 3 + 2 + 6 + 1 + 2 + 2
    sandbox.close()
    again = Kernel({**os.environ, **place})
    assert said_by(again) == said
    again.close()
    assert len(sandbox.received) == sent
