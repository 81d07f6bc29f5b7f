import shutil
from datetime import UTC, datetime

import pytest
from support.night_plans import PLAN, checkpoint, compiled
from support.records import record

from harness.fleet.plan.checkpoints import place_on, run_of, weights_digest
from harness.records.files import new_run_id, write_record
from harness.records.record import Subject
from harness.suites.suite import load_suite
from zoo.checkpoint.model_ref import resolve

SERIES = PLAN.replace("[nano-teacher]", "[{checkpoints: runs/a/step-*, label: run-a, parent: nano-teacher}]")


def evaluated(results, model, tasks=None, **changes):
    """Records of a whole evaluation of the model, as far as planning looks at them."""
    ref = resolve(str(model))
    digest, run = weights_digest(ref), new_run_id()
    subject = Subject(
        id=ref.id, source="s", revision=None, weights_digest=digest, tokenizer_digest="t", entry=None, kind=ref.kind
    )
    for task in tasks or [entry.task for entry in load_suite("nano").tasks]:
        fields = {"suite": "nano", "subject": subject, "finished_at": datetime.now(UTC), **changes}
        write_record(results, record(task, run, **fields))


def names(night):
    return [job.name or job.model for job in night.jobs]


def test_checkpoints_stand_in_the_order_of_their_number_behind_their_parent(tmp_path):
    for step in (9, 10, 100, 2):
        checkpoint(tmp_path / f"runs/a/step-{step}")
    night = compiled(tmp_path, SERIES)
    assert names(night) == ["nano-teacher", "run-a@2", "run-a@9", "run-a@10", "run-a@100"]
    assert [job.at for job in night.jobs] == [None, 2, 9, 10, 100]
    assert night.jobs[0].steps[0].role == "parent"
    assert {(job.label, job.axis) for job in night.jobs[1:]} == {("run-a", "steps")}
    words = night.jobs[1].steps[0].words
    assert words[1:7] == ("--model", str(tmp_path / "runs/a/step-2"), "--name", "run-a@2", "--parent", "nano-teacher")


def test_what_is_half_written_is_left_for_the_next_night_and_told(tmp_path):
    checkpoint(tmp_path / "runs/a/step-10")
    checkpoint(tmp_path / "runs/a/step-20", whole=False)
    checkpoint(tmp_path / "runs/a/step-30")
    (tmp_path / "runs/a/step-30/config.json").unlink()
    (tmp_path / "runs/a/step-40").mkdir()
    (tmp_path / "runs/a/step-50").write_text("no folder")
    checkpoint(tmp_path / "runs/a/step-last")
    night = compiled(tmp_path, SERIES)
    assert names(night) == ["nano-teacher", "run-a@10"]
    left = {one.about.rsplit("/", 1)[-1] for one in night.told if "left out tonight" in one.text}
    assert left == {"step-20", "step-30", "step-40", "step-last"}
    shutil.rmtree(tmp_path / "runs/a/step-20")
    checkpoint(tmp_path / "runs/a/step-20")
    assert names(compiled(tmp_path, SERIES)) == ["nano-teacher", "run-a@10", "run-a@20"]


def test_shards_that_an_index_names_must_all_be_there(tmp_path):
    folder = checkpoint(tmp_path / "runs/a/step-10")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = '{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    night = compiled(tmp_path, SERIES)
    assert night.jobs == ()
    assert any("model-00002-of-00002" in one.text for one in night.told)


def test_each_checkpoint_is_evaluated_once_over_all_nights_and_the_parent_too(tmp_path):
    results = tmp_path / "results"
    first = checkpoint(tmp_path / "runs/a/step-10")
    checkpoint(tmp_path / "runs/a/step-20")
    evaluated(results, first)
    evaluated(results, "nano-teacher")
    night = compiled(tmp_path, SERIES, results)
    assert names(night) == ["run-a@20"]
    assert any("1 of 2 checkpoints" in one.text for one in night.told)
    assert names(compiled(tmp_path, SERIES.replace("[nano]", "[smoke]"), results)) == [
        "nano-teacher",
        "run-a@10",
        "run-a@20",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "failed", "reason": "r", "code": "task-failed"},
        {"suite": "smoke"},
        {"limit": 5},
        {"tasks": ["nano_words"]},
        {"source": "imported"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_whole_or_of_another_kind_counts_for_nothing(tmp_path, changes):
    results, folder = tmp_path / "results", checkpoint(tmp_path / "runs/a/step-10")
    evaluated(results, folder, **changes)
    assert "run-a@10" in names(compiled(tmp_path, SERIES, results))


def test_other_weights_in_the_same_folder_are_another_checkpoint(tmp_path):
    results, folder = tmp_path / "results", checkpoint(tmp_path / "runs/a/step-10")
    evaluated(results, folder)
    assert "run-a@10" not in names(compiled(tmp_path, SERIES, results))
    shutil.rmtree(folder)
    checkpoint(tmp_path / "new/step-11").rename(folder)
    assert "run-a@10" in names(compiled(tmp_path, SERIES, results))


def test_a_parent_that_is_a_model_of_the_plan_is_one_job(tmp_path):
    checkpoint(tmp_path / "runs/a/step-10")
    night = compiled(tmp_path, SERIES.replace("[{", "[nano-teacher, {"))
    assert names(night) == ["nano-teacher", "run-a@10"]
    assert night.jobs[0].steps[0].role == "candidate"


def test_a_pattern_that_finds_nothing_is_told_and_fails_nothing(tmp_path):
    night = compiled(tmp_path, SERIES.replace("[{", "[nano-width, {"))
    assert names(night) == ["nano-width"]
    assert any("No folder is found" in one.text for one in night.told)


def test_a_plan_s_folder_may_be_called_like_a_pattern_and_two_checkpoints_may_have_one_number(tmp_path):
    plans = tmp_path / "plans [a-c]*"
    checkpoint(plans / "runs/a/step-1")
    checkpoint(plans / "runs/a/step-01")
    night = compiled(plans, SERIES.replace("runs/a", "../plans*/runs/a"))
    assert names(night)[1:] == ["run-a@1", "run-a@1"]
    assert len({job.id for job in night.jobs}) == 3
    assert any("both stand at run-a@1" in one.text for one in night.told)


PLACES = {
    ("step-00000120", "steps"): 120,
    ("checkpoint-500", "steps"): 500,
    ("iter_0000100", "steps"): 100,
    ("global_step1000", "steps"): 1000,
    ("step-10k", "steps"): 10_000,
    ("stage1-step140000-tokens294B", "steps"): 140_000,
    ("stage1-step140000-tokens294B", "tokens"): 294 * 10**9,
    ("4.5B-tokens", "tokens"): 4_500_000_000,
    ("step-100", "tokens"): None,
    ("llama3-step=7", "steps"): 7,
    ("final", "steps"): None,
    ("12B", "tokens"): 12 * 10**9,
}


@pytest.mark.parametrize(("name", "axis"), PLACES)
def test_the_number_beside_the_axis_word_tells_the_place(tmp_path, name, axis):
    assert place_on(tmp_path / name, axis) == PLACES[name, axis]


def test_what_a_checkpoint_of_distill_says_itself_comes_first(tmp_path):
    folder = tmp_path / "step-7"
    (folder / "training").mkdir(parents=True)
    (folder / "training/state.json").write_text('{"step": 8, "tokens": 4096}')
    assert (place_on(folder, "steps"), place_on(folder, "tokens")) == (8, 4096)


def test_a_run_is_called_by_its_folder_where_nobody_names_it(tmp_path):
    assert run_of(tmp_path / "run-b/checkpoints/step-1") == "run-b"
    assert run_of(tmp_path / "run-c/step-1") == "run-c"
