"""What the board knows of a model: by the registry's arithmetic, from its records where it is in none; unknown is None."""

from support.board_registry import cell, named, rows_of
from support.compared import score_of
from support.records import record

from harness.store.query import Reader
from reports.board.build import build_board
from reports.board.model import ColumnKey
from zoo.arch.parameters import count_parameters
from zoo.registry.loader import load_registry


def facts_of(board, model):
    return rows_of(board, model)[0].facts


def test_the_registry_s_facts(results):
    board = results.board()
    child, parent = facts_of(board, "child"), facts_of(board, "parent")
    assert (child.display, child.registered, child.kind, child.family, child.parent) == (
        "Child", True, "base", "minitron", "parent",
    )  # fmt: skip
    assert child.parameters == child.parent_parameters == parent.parameters
    assert (child.distillation_tokens, child.parent_tokens) == (94_000_000_000, 15_000_000_000_000)
    assert (child.licence, child.commercial, parent.commercial) == ("research-only", False, True)
    assert child.kv_bytes_per_token == 2 * 2 * 2 * 16 * 2
    assert child.weight_bytes == 2 * child.parameters
    assert child.state_bytes == 0


def test_unknown_stays_unknown(results):
    tuned = facts_of(results.board(), "tuned")
    assert (tuned.parent, tuned.parent_parameters, tuned.distillation_tokens, tuned.commercial, tuned.context, tuned.hub) == (
        (None,) * 6
    )  # fmt: skip


def test_every_model_of_the_registry_has_a_row_if_nobody_measured_it(results):
    assert {row.facts.id for row in results.board().rows} == set(results.registry.models)


def test_a_model_in_no_registry_has_the_context_that_its_own_files_state(results):
    for name, assumed in (("owner/stated", None), ("owner/assumed", "config.json states none")):
        subject = named(name, kind="hub", entry=None)
        results.keep(name, [1.0, 0.0], subject=subject, context=4096, context_assumed=assumed)
    board = results.board()
    stated, guessed = facts_of(board, "owner/stated"), facts_of(board, "owner/assumed")
    assert (stated.context, stated.hub, stated.family, stated.kind) == (4096, "owner/stated", "unregistered", "unknown")
    assert guessed.context is None


def test_a_registered_model_s_context_is_the_registry_s_where_it_says(results):
    results.keep("child", [1.0, 0.0], subject=named("child"), context=4096)
    assert facts_of(results.board(), "child").context is None  # records of registered models are not asked


def test_the_state_of_a_hybrid_is_counted(tmp_path):
    (tmp_path / "runs").mkdir()
    board = build_board(Reader(tmp_path), load_registry())
    hybrid = next(row.facts for row in board.rows if row.facts.family == "hybrid")
    dense = next(row.facts for row in board.rows if row.facts.id == "minitron-8b")
    assert hybrid.state_bytes > 0
    assert dense.parameters == count_parameters(load_registry().models["minitron-8b"].architecture).total


def test_a_measured_score_has_the_verdict_on_the_published_one_and_is_marked_where_its_task_chose_the_shape(results):
    """Of a model of the shipped registry, which is what the store judges by."""
    winogrande = ColumnKey("winogrande", "acc", "none", 5)
    results.registry = load_registry()
    model = "llama-3.1-minitron-4b-depth"  # published: 72.1; its layers were chosen by Winogrande
    subject = named(model, entry={"id": model})
    half = [1.0, 0.0] * 586
    values = [1.0] * 914 + [0.0] * 353
    results.keep(model, [], subject=subject, scores=(score_of(values),), counts=None)
    results.keep(model, [], "arc_challenge", subject=subject, shots=25, scores=(score_of(half, "acc_norm"),))
    figure = cell(results.board(), model, winogrande)[0]
    assert (figure.verdict, figure.selected_on) == ("reproduced", True)
    assert figure.notes == ("unchecked backend",)
    other = cell(results.board(), model, ColumnKey("arc_challenge", "acc_norm", "none", 25))[0]
    assert (other.verdict, other.selected_on) == ("differs", False)
    assert other.notes[-1] == "practice-paper prints 52.6: differs"


def test_the_same_results_give_the_same_board(results):
    results.keep("parent", [1.0, 0.0])
    results.keep("child", [1.0, 0.0], setting=record().setting.model_copy(update={"gpu": "L4"}))
    assert results.board() == results.board()
