"""Where a turn goes: at the end, or in the place of the earlier run of its cell."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.completion import Completion
from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.rerun import EARLIER, REDRAWN


def turn(prompt: str, cell: CellRun | None = None) -> Turn:
    completion = Completion(f"reply to {prompt}", requested_model="m", model="m")
    return Turn(Message.of("user", prompt), completion, cell=cell)


def prompts(turns) -> list[str]:
    return [t.prompt.text for t in turns]


def run(conversation: Conversation, cell_id: str, number: int, *said: str) -> Conversation:
    """One run of a cell that asks as many times as there are prompts."""
    cell = CellRun(cell_id, str(number))
    for prompt in said:
        conversation = conversation.with_turn(turn(prompt, cell))
    return conversation


def three_cells() -> Conversation:
    conversation = Conversation()
    for number, (cell_id, prompt) in enumerate([("A", "a"), ("B", "b"), ("C", "c")]):
        conversation = run(conversation, cell_id, number, prompt)
    return conversation


def test_turns_without_cells_are_appended():
    conversation = Conversation().with_turn(turn("one")).with_turn(turn("two")).with_turn(turn("one"))
    assert prompts(conversation.turns) == ["one", "two", "one"]
    assert conversation.above() == conversation.turns


def test_a_conversation_is_a_value():
    before = three_cells()
    turns = before.turns
    before.with_turn(turn("d"))
    before.without_last(1)
    assert before.turns is turns


def test_a_new_turn_keeps_name_model_and_system_prompt():
    conversation = Conversation("review", model="gpt-5.4", system="Be brief.").with_turn(turn("a"))
    assert (conversation.name, conversation.model, conversation.system) == ("review", "gpt-5.4", "Be brief.")


def test_a_cell_run_again_replaces_its_turn_where_it_stood():
    conversation = run(three_cells(), "B", 9, "b again")
    assert prompts(conversation.turns) == ["a", "b again", "c"]


def test_a_cell_run_again_sees_only_the_turns_above_it():
    conversation = three_cells()
    assert prompts(conversation.above(CellRun("A", "9"))) == []
    assert prompts(conversation.above(CellRun("B", "9"))) == ["a"]
    assert prompts(conversation.above(CellRun("C", "9"))) == ["a", "b"]
    assert prompts(conversation.above(CellRun("new", "9"))) == ["a", "b", "c"]


def test_looking_above_changes_nothing_until_the_turn_is_there():
    conversation = three_cells()
    conversation.above(CellRun("B", "9"))
    assert prompts(conversation.turns) == ["a", "b", "c"]


def test_two_turns_of_one_run_follow_each_other():
    conversation = run(Conversation(), "A", 1, "a1", "a2")
    assert prompts(conversation.turns) == ["a1", "a2"]
    assert prompts(conversation.above(CellRun("A", "1"))) == ["a1", "a2"]


def test_two_turns_of_one_run_follow_each_other_in_the_middle_too():
    conversation = run(three_cells(), "B", 9, "b1", "b2")
    assert prompts(conversation.turns) == ["a", "b1", "b2", "c"]
    assert prompts(conversation.above(CellRun("B", "9"))) == ["a", "b1", "b2"]


def test_a_cell_with_two_turns_run_again_with_one_has_one():
    conversation = run(Conversation(), "A", 1, "a")
    conversation = run(conversation, "B", 2, "b1", "b2")
    conversation = run(conversation, "C", 3, "c")
    assert prompts(conversation.above(CellRun("B", "4"))) == ["a"]
    conversation = run(conversation, "B", 4, "b")
    assert prompts(conversation.turns) == ["a", "b", "c"]


def test_a_turn_without_a_cell_replaces_none():
    conversation = three_cells().with_turn(turn("typed in a console"))
    assert prompts(conversation.turns) == ["a", "b", "c", "typed in a console"]
    assert prompts(run(conversation, "A", 9, "a again").turns) == ["a again", "b", "c", "typed in a console"]


def test_a_cell_whose_turn_was_taken_back_asks_at_the_end():
    conversation = run(three_cells().without_last(2), "D", 8, "d")
    assert prompts(run(conversation, "B", 9, "b").turns) == ["a", "d", "b"]


def test_the_last_turns_can_be_taken_back():
    conversation = three_cells()
    assert prompts(conversation.without_last(1).turns) == ["a", "b"]
    assert prompts(conversation.without_last(2).turns) == ["a"]
    assert prompts(conversation.without_last(0).turns) == ["a", "b", "c"]
    assert prompts(conversation.without_last(7).turns) == []


def test_a_turn_is_two_messages_for_the_next_request():
    assert turn("a").messages == (Message.of("user", "a"), Message.of("assistant", "reply to a"))


# A notebook's cells, by their number of turns.
notebooks = st.lists(st.integers(1, 3), min_size=1, max_size=6)


def run_all(conversation: Conversation, cells: list[int], number: int) -> Conversation:
    for n, count in enumerate(cells):
        conversation = run(conversation, str(n), number + n, *(f"{n}.{k}" for k in range(count)))
    return conversation


@given(notebooks)
def test_run_all_twice_gives_the_same_prompts_in_the_same_order(cells):
    once = run_all(Conversation(), cells, number=0)
    assert prompts(run_all(once, cells, number=100).turns) == prompts(once.turns)


@given(notebooks)
def test_in_a_second_run_all_each_request_repeats_what_it_did_in_the_first(cells):
    conversation, requests = Conversation(), []
    for number in range(2 * len(cells)):
        n = number % len(cells)
        for k in range(cells[n]):
            cell = CellRun(str(n), str(number))
            requests.append(prompts(conversation.above(cell)))
            conversation = conversation.with_turn(turn(f"{n}.{k}", cell))
    half = len(requests) // 2
    assert requests[half:] == requests[:half]


@given(notebooks, st.data())
def test_running_any_one_cell_again_keeps_the_order(cells, data):
    chosen = data.draw(st.integers(0, len(cells) - 1))
    count = data.draw(st.integers(1, 3))
    conversation = run_all(Conversation(), cells, number=0)
    again = run(conversation, str(chosen), 100, *(f"{chosen}.{k}" for k in range(count)))
    cells[chosen] = count
    assert prompts(again.turns) == prompts(run_all(Conversation(), cells, number=0).turns)


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "C", "D", None]), st.integers(1, 3)), max_size=15))
def test_whatever_is_run_the_turns_stand_in_the_order_of_the_first_runs(runs):
    conversation = Conversation()
    expected: dict[object, list[str]] = {}  # a key that is assigned again keeps its place
    for number, (cell_id, count) in enumerate(runs):
        said = [f"{number}.{k}" for k in range(count)]
        if cell_id is None:
            for prompt in said:
                conversation = conversation.with_turn(turn(prompt))
        else:
            conversation = run(conversation, cell_id, number, *said)
        expected[cell_id or number] = said
    assert prompts(conversation.turns) == [prompt for said in expected.values() for prompt in said]


def test_of_cells_that_may_have_other_ids_the_first_of_the_same_source_or_prompt_is_replaced():
    def said(prompt: str, *cell) -> Turn:
        return turn(prompt, CellRun(*cell))

    before = Conversation(
        turns=(
            said("x", "1", EARLIER, "X"),  # its id lasts
            said("x", "2", REDRAWN),
            said("y", "3", REDRAWN, "X"),
            said("z", "3", REDRAWN, "X"),
            said("x", "4", REDRAWN, "other"),
        )
    )
    assert prompts(before.with_turn(said("new", "5", "run", "X")).turns) == ["x", "x", "new", "x"]
    assert prompts(before.with_turn(said("x", "5", "run", "Y")).turns) == ["x", "x", "y", "z", "x"]
    assert prompts(before.with_turn(said("new", "4", "run", "X")).turns) == ["x", "x", "y", "z", "new"]
    assert prompts(before.with_turn(said("new", "5", "run")).turns) == ["x", "x", "y", "z", "x", "new"]
    twice = before.with_turn(said("x", "5", "run")).with_turn(said("x", "5", "run"))
    assert [t.cell.cell_id for t in twice.turns] == ["1", "5", "5", "3", "3", "4"]


def test_a_pickle_of_a_turn_does_not_hold_the_source_of_its_cell():
    assert b"secret" not in pickle.dumps(CellRun("A", "1", "key = 'secret'"))
