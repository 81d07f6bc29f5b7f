"""Which pairs have a page: measured edges of the lineage, the reference first, and what was asked for."""

from reports.board.model import Board, BoardRow, ColumnKey, Figure, ModelFacts
from reports.compare.pairs import pairs, shown_as
from zoo.registry.loader import load_registry

FACTS = ColumnKey("nano_facts", "acc", "none", 4)
STORY = ColumnKey("nano_story", "acc", "none", 0)
REGISTRY = load_registry()


def row(name, columns, parent=None, source="measured", registered=True):
    facts = ModelFacts(name, name, registered, "base", "nano", parent=parent)
    return BoardRow(facts, figures={key: (Figure(source, 0.5),) for key in columns})


def board(*rows):
    return Board((), rows)


def test_a_child_follows_its_parent_where_both_were_measured_on_one_task():
    made = board(row("nano-width-pruned", [FACTS], "nano-teacher"), row("nano-teacher", [FACTS, STORY]))
    assert pairs(made, REGISTRY) == (("nano-teacher", "nano-width-pruned"),)


def test_what_was_measured_on_different_tasks_or_by_nobody_here_has_no_page():
    parent = row("nano-teacher", [FACTS])
    others = [row("nano-width-pruned", [STORY], "nano-teacher")]
    others += [row("nano-depth-pruned", [FACTS], "nano-teacher", source) for source in ("published", "contributed")]
    assert [pairs(board(parent, other), REGISTRY) for other in others] == [()] * 3


def test_a_teacher_that_is_not_the_parent_is_compared_too():
    parents = {"minitron-4b": "minitron-8b", "minitron-8b": "nemotron-4-15b", "nemotron-4-15b": None}
    made = board(*(row(name, [FACTS], parent) for name, parent in parents.items()))
    assert pairs(made, REGISTRY) == (
        ("minitron-8b", "minitron-4b"),
        ("nemotron-4-15b", "minitron-4b"),
        ("nemotron-4-15b", "minitron-8b"),
    )


def test_each_set_of_weights_of_a_parent_is_compared():
    parents = [row(f"nano-teacher@{digest}", [FACTS], registered=False) for digest in ("00000000", "1234abcd")]
    made = board(*parents, row("mine", [FACTS], "nano-teacher", registered=False))
    assert pairs(made, REGISTRY) == (("nano-teacher@00000000", "mine"), ("nano-teacher@1234abcd", "mine"))


def test_asked_pairs_come_once_and_by_the_name_that_the_board_has():
    made = board(row("minitron-8b", [FACTS]), row("mine", [STORY], registered=False))
    asked = [("nvidia/Minitron-8B-Base", "mine"), ("minitron-8b", "mine"), ("mine", "mine"), ("gone", "mine")]
    assert pairs(made, REGISTRY, asked) == (("minitron-8b", "mine"), ("gone", "mine"))
    assert shown_as("nemotron-4-15b", made, REGISTRY) == "nemotron-4-15b"
