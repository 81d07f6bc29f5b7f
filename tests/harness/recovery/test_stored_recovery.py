"""Recovery from a results folder: the newest results, what to run where some lack, and what a folder's note says."""

import json
from datetime import UTC, datetime

import pytest
from support.compared import keep
from support.records import record
from support.recovering import DISTILLED, MODELS, PARENT, PRUNED, family_file, keep_family, rights, subject

from harness.records.record import Distilled, Weights
from harness.recovery.stored import stored_recoveries
from harness.store.query import Reader
from zoo.folders.origin import NamedWeights, Origin, origin_of
from zoo.registry.loader import load_registry


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The families of a model of these results."""
    monkeypatch.setenv("MINIZOO_REGISTRY", str(family_file(tmp_path)))

    def call(name=DISTILLED):
        return stored_recoveries(Reader(tmp_path), load_registry(), name)

    return call


def test_the_newest_results_of_all_three_make_a_table(found, tmp_path):
    keep_family(tmp_path)
    keep_family(tmp_path, [PARENT], "piqa")
    (recovery,) = found()
    assert [row.status for row in recovery.rows] == ["recovered"]
    assert recovery.rows[0].gold.status == "recovered"
    assert recovery.notes == tuple(
        f"{each} has no result of piqa: `minizoo eval {each} --tasks piqa`" for each in MODELS[1:]
    )
    assert [recovery] == found(PRUNED)


def test_a_missing_one_is_measured_as_the_others_were(found, tmp_path):
    asked = "--tasks winogrande,piqa --shots 5 --limit=100 --data 'a mirror'"
    keep_family(tmp_path, [PARENT, DISTILLED], setting=commanded(f"minizoo --debug eval x {asked} --device cpu"))
    (recovery,) = found()
    assert (recovery.rows, recovery.commands) == ((), (f"minizoo eval {PRUNED} {asked}",))


def test_what_was_no_evaluation_is_measured_by_suite_or_tasks(found, tmp_path):
    keep_family(tmp_path, [PARENT], setting=commanded("minizoo distill"), limit=100)
    (recovery,) = found()
    assert recovery.commands == (f"minizoo eval {PRUNED} {DISTILLED} --suite smoke --limit 100",)
    suite = {"tasks": [{"task": "winogrande"}, {"task": "piqa"}]}
    keep_family(tmp_path, [PARENT], setting=commanded("'"), suite="custom", resolved_suite=suite, finished_at=LATER)
    (recovery,) = found()
    assert recovery.commands == (f"minizoo eval {PRUNED} {DISTILLED} --tasks winogrande,piqa",)


LATER = datetime(2027, 1, 1, tzinfo=UTC)


def commanded(command):
    return record().setting.model_copy(update={"command": command})


def test_a_folder_is_set_beside_what_its_note_names(found, tmp_path):
    told = rights()
    keep_family(tmp_path, [PARENT])
    cut = subject("cut", kind="folder", entry=None, source="/models/cut", weights_digest="c")
    note = Distilled(student=Weights(name="cut", digest="c"), teacher=Weights(name=PARENT, digest=PARENT))
    mine = cut.model_copy(update={"id": "mine", "source": "/models/mine", "weights_digest": "m", "distilled": note})
    keep(tmp_path, "cut", told[PRUNED], subject=cut)
    keep(tmp_path, "mine", told[DISTILLED], subject=mine.model_copy(update={"parent": PARENT}))
    (recovery,) = found("/models/mine")
    assert [recovery.name(role) for role in ("parent", "pruned", "distilled")] == [PARENT, "cut", "mine"]
    assert recovery.rows[0].status == "recovered"


def test_a_folders_note_tells_student_teacher_and_the_tasks_in_its_text(tmp_path):
    note = {
        "made_by": "minizoo distill",
        "student": {"name": "cut", "digest": "s"},
        "teacher": {"name": "whole", "digest": "t"},
        "data": {"overlap": {"tasks": {"wikitext": "3 of 62 documents"}, "dropped": False}},
    }
    (tmp_path / "minizoo.json").write_text(json.dumps(note), "utf-8")
    assert origin_of(tmp_path) == Origin(NamedWeights("cut", "s"), NamedWeights("whole", "t"), ("wikitext",))
    note["data"]["overlap"]["dropped"] = True
    (tmp_path / "minizoo.json").write_text(json.dumps(note), "utf-8")
    assert origin_of(tmp_path).trained_on == ()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"student": 1}', '{"student": {"name": "a", "digest": 2}, "teacher": null}']
)
def test_a_note_of_anything_else_tells_nothing(tmp_path, text):
    (tmp_path / "minizoo.json").write_text(text, "utf-8")
    assert origin_of(tmp_path) is None
