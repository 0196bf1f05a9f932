"""Whose turn a turn is: that of the cell's run that asked, whatever else runs meanwhile."""

from __future__ import annotations

import ast

import ipykernel
import pytest
from kernels import open_subshell

HAS_SUBSHELLS = ipykernel.version_info[0] >= 7
SETUP = """
import asyncio, threading, time
from concurrent.futures import ThreadPoolExecutor
from xcyq_magic import Chat
c = Chat(conversation="main")
gate = threading.Semaphore(0)
"""
SESSION = "get_ipython().magics_manager.registry['xcyq_magic'].context.session"
TURNS = f"[t.prompt.text for t in {SESSION}.conversation().turns]"
TASK = """
async def work(name):
    for i in range(4):
        await asyncio.to_thread(gate.acquire)
        await asyncio.to_thread(c, f"{name} {i}")
task = asyncio.get_running_loop().create_task(work("task"))
"""
THREAD = """
def work(name):
    for i in range(4):
        gate.acquire()
        c(f"{name} {i}")
thread = threading.Thread(target=work, args=["thread"])
thread.start()
"""


@pytest.fixture
def page(kernel):
    kernel.run(SETUP, "setup")
    return kernel


def turns(kernel) -> list[str]:
    return ast.literal_eval(kernel.value(TURNS))


def ok(kernel, code: str, cell: str) -> None:
    ran = kernel.run(code, cell)
    assert ran.status == "ok", "\n".join(ran.error)


NEXT = f"""
gate.release()
for _ in range(400):
    if len({TURNS}) == {{count}}: break
    await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize("code", [TASK, THREAD])
def test_what_goes_on_after_its_cell_keeps_every_turn_while_other_cells_run(page, code):
    ok(page, code, "A")
    name = "task" if code is TASK else "thread"
    for i in range(4):  # the same cell again and again, which says nothing itself
        ok(page, NEXT.format(count=i + 1), "B")
    assert turns(page) == [f"{name} {i}" for i in range(4)]
    ok(page, "%chat mine", "B")
    ok(page, "%chat mine", "B")
    assert turns(page) == [*(f"{name} {i}" for i in range(4)), "mine"]
    ok(page, "%chat again", "A")  # whose turns they are
    assert turns(page) == ["again", "mine"]


def test_a_thread_that_speaks_late_belongs_to_the_cell_that_started_it(page):
    ok(page, THREAD, "A")
    ok(page, "%chat mine", "B")
    ok(page, NEXT.format(count=2), "C")
    ok(page, "%chat mine again", "B")
    ok(page, "gate.release(3); thread.join()", "C")
    ok(page, "%chat C", "C")
    assert turns(page) == ["mine again", *(f"thread {i}" for i in range(4)), "C"]


def test_threads_of_a_cell_are_replaced_by_its_next_run(page):
    code = "with ThreadPoolExecutor(1) as pool: list(pool.map(c, ['one', 'two']))"
    ok(page, code, "A")
    ok(page, "%chat mine", "B")
    ok(page, code, "A")
    assert turns(page) == ["one", "two", "mine"]


def test_a_worker_that_cells_share_takes_no_turn_of_either_away(page):
    ok(page, "pool = ThreadPoolExecutor(1); pool.submit(c, 'one').result()", "A")
    ok(page, "pool.submit(c, 'two').result()", "B")
    ok(page, "pool.submit(c, 'three').result()", "C")
    assert turns(page) == ["one", "two", "three"]


def test_tasks_that_share_a_worker_belong_each_to_its_cell(page):
    for cell in "A", "B":
        ok(page, f"await asyncio.to_thread(c, '{cell}')", cell)
    ok(page, "await asyncio.to_thread(c, 'A again')", "A")
    assert turns(page) == ["A again", "B"]


@pytest.mark.skipif(not HAS_SUBSHELLS, reason="ipykernel before 7 has no subshells")
def test_a_loop_keeps_every_turn_while_a_subshell_runs_cells(page):
    subshell = open_subshell(page)
    loop = page.start(
        "for i in range(3):\n    get_ipython().run_line_magic('chat', f'loop {i}')\n    gate.acquire()\n", "A"
    )
    for _ in range(3):
        content = {"code": "gate.release()", "silent": False, "store_history": True, "user_expressions": {}}
        message = page.client.session.msg("execute_request", content, metadata={"cellId": "S"})
        message["header"]["subshell_id"] = subshell
        page.client.shell_channel.send(message)
    assert page.finish(loop).status == "ok"
    assert turns(page) == ["loop 0", "loop 1", "loop 2"]


def test_a_click_is_no_run_of_a_cell(page):
    made = page.run(
        "import ipywidgets\nb = ipywidgets.Button()\nb.on_click(lambda _: c('clicked'))\n"
        "c('one'); print(b.comm.comm_id)",
        "A",
    )
    ok(page, "c('two');", "B")
    message = page.client.session.msg(
        "comm_msg",
        {"comm_id": made.text.strip(), "data": {"method": "custom", "content": {"event": "click"}}},
    )
    page.client.shell_channel.send(message)
    page.finish(message["header"]["msg_id"], until=lambda m: m["content"].get("execution_state") == "idle")
    assert turns(page) == ["one", "two", "clicked"]
    ok(page, "c('one again');", "A")
    ok(page, "c('two again');", "B")
    assert turns(page) == ["one again", "two again", "clicked"]
