"""A user's word becomes the side that is meant, or an error that says what to run."""

import pytest
from support.compared import keep, subject

from harness.baselines.accept import accept
from harness.compare.resolve import refuse_same, resolve_side
from harness.records.files import run_folder
from harness.records.record import Counts, Subject
from zoo.errors import NotComparable, NothingRecorded, UnknownModel, UnknownName

SOME, LESS = [1.0, 0.0, 1.0, 1.0], [1.0, 0.0]
REGISTERED = Subject(
    id="nano-teacher", source="minizoo", revision=None, weights_digest="w", tokenizer_digest="t", entry={"id": "x"},
    kind="registry",
)  # fmt: skip


def counts(documents, total=4):
    return Counts(documents=documents, documents_total=total, requests=8, tokens=80, truncated=0, reused=0)


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def values(side, task="winogrande"):
    (found,) = [result for key, result in side.results.items() if key.task == task]
    return list(found.items.value)


def test_a_model_is_its_newest_whole_result_of_each_task_and_what_is_passed_over_is_told(results):
    keep(results, "old", [0.0] * 4, counts=counts(4))
    whole = keep(results, "old", SOME, counts=counts(4))
    part = keep(results, "old", LESS, counts=counts(2), limit=2)
    keep(results, "old", [0.0] * 4, "arc")
    newest = keep(results, "old", SOME, "arc")
    failed = keep(results, "old", [], "arc", scores=(), status="infra_failed", reason="device lost")
    side = resolve_side("OLD", results)
    assert (side.kind, side.name) == ("run", "old")
    assert values(side) == values(side, "arc") == SOME
    assert set(side.run_ids) == {whole.run_id, newest.run_id}
    assert side.failed == {"arc": failed}
    assert side.notes == (
        f"winogrande is compared as run {whole.run_id} has it, whole; the newer run {part.run_id} has a part of its "
        "documents: name that run to compare it",
        f"the newest run of arc failed (device lost): the result before it, of run {newest.run_id}, is compared",
    )
    assert values(resolve_side(part.run_id, results)) == LESS
    assert resolve_side(part.run_id[:20], results).run_ids == (part.run_id,)
    with pytest.raises(NotComparable, match="is the beginning of 6 runs"):
        resolve_side(part.run_id[:6], results)


def test_two_models_that_one_name_stands_for_are_not_mixed(results):
    for digest in ("x" * 8, "y" * 8):
        keep(results, "old", SOME, subject=subject("old", digest))
    with pytest.raises(NotComparable, match=r"old stands for 2 models in .*: old@xxxxxxxx, old@yyyyyyyy"):
        resolve_side("old", results)
    assert values(resolve_side("old@xxxxxxxx", results)) == SOME


def test_a_corrupt_record_is_named_and_never_silently_skipped(results):
    kept = keep(results, "old", SOME)
    broken = run_folder(results, keep(results, "old", SOME).run_id) / "winogrande" / "record.json"
    broken.write_text('{"schema_version": "minizoo.record/2"')
    side = resolve_side("old", results)
    assert side.run_ids == (kept.run_id,)
    (told,) = side.notes
    assert told.startswith(f"{broken} cannot be read (")
    assert told.endswith("it is in no comparison")


def test_names_of_the_registry_and_its_folder_of_results(results):
    keep(results, "x", SOME, subject=REGISTERED)
    assert values(resolve_side("Nano-Teacher", results)) == SOME
    with pytest.raises(NothingRecorded, match="Run `minizoo eval minitron-8b` first"):
        resolve_side("nvidia/Minitron-8B-Base", results, reference=None)
    with pytest.raises(UnknownModel, match="Did you mean 'nano-teacher'"):
        resolve_side("nano-teachr", results, reference=None)
    with pytest.raises(NothingRecorded, match="holds no results of lm-eval"):
        resolve_side(str(results.parent), results, reference=None)


def test_a_baseline_by_its_name_and_the_record_of_reference_where_there_is_nothing_else(results, tmp_path):
    run = keep(results, "x", SOME, subject=REGISTERED, columns={"filtered": '["secret"]'})
    file = tmp_path / "baselines.yaml"
    accept(results, run.run_id, file, "first", by="me", name="gold")
    accept(results, run.run_id, file, "first", by="me")
    assert resolve_side("gold", results, file).kind == "baseline"
    side = resolve_side("baseline:nano-teacher", results, file)
    assert (side.name, values(side), side.run_ids) == ("nano-teacher", SOME, (run.run_id,))
    assert next(iter(side.results.values())).items.filtered.tolist() == [None] * 4
    with pytest.raises(UnknownName, match="Did you mean 'gold'"):
        resolve_side("baseline:golt", results, file)
    model = resolve_side("nano-teacher", results, file)
    assert model.kind == "run"
    assert model.notes == (
        "nano-teacher is also a baseline: the results folder's own are taken; `baseline:nano-teacher` is the baseline",
    )
    nowhere = tmp_path / "nowhere"
    reference = resolve_side("nano-teacher", nowhere, reference=tmp_path)
    assert (reference.kind, values(reference)) == ("reference", SOME)
    assert reference.notes[0].startswith(f"There is no result of nano-teacher in {nowhere}: the record of reference")
    with pytest.raises(NotComparable, match="the same results"):
        refuse_same(side, model)
