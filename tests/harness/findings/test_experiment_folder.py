"""The seeds of an experiment: what time allows, what is refused, what a record keeps."""

import json
from dataclasses import replace

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.findings import made_record, result, write_seed

from harness.findings.folder import NAMES, RECORD, ExperimentFolder
from harness.findings.record import judged_of, read_record
from harness.findings.run import Experiment, run_experiment
from zoo.errors import Busy, InvalidFile, OtherRun, SeedFailed
from zoo.reproduce.record import ArmResult, Losses, path_of, read_result, write_result
from zoo.reproduce.scale import SMOKE

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Told:
    def __init__(self):
        self.steps, self.notes = [], []

    def went_on(self, done, of):
        self.steps.append((done, of))

    def note(self, line):
        self.notes.append(line)


@pytest.fixture
def folder(tmp_path):
    made = ExperimentFolder(tmp_path / "out", SMOKE)
    made.open()
    return made


def test_no_seed_is_begun_that_would_not_end_in_time(folder):
    write_seed(folder, 1, wall=600.0)
    told = Told()
    outcome = run_experiment(Experiment(SMOKE, (1, 2, 3), 2, 1.0, folder.path), told)
    assert outcome.not_begun == (2, 3)
    assert (outcome.record.seeds, outcome.record.whole_seeds) == ((1,), 1)
    assert told.notes == ["The 1 h do not suffice for seeds 2, 3; the same command goes on with them."]
    assert told.steps[-1][0] * 3 == told.steps[-1][1]
    assert read_record(folder.path / RECORD) == outcome.record


def test_what_is_whole_is_computed_no_second_time(folder):
    write_seed(folder, 1)
    before = {path: path.stat().st_mtime_ns for path in folder.seed(1).iterdir()}
    assert run_experiment(Experiment(SMOKE, (1,), 2, 1.0, folder.path), Told()).whole
    assert {path: path.stat().st_mtime_ns for path in folder.seed(1).iterdir()} == before


def test_a_folder_of_another_experiment_is_refused(folder):
    with pytest.raises(OtherRun, match="another experiment"):
        ExperimentFolder(folder.path, replace(SMOKE, tokens=640)).open()


def test_a_folder_that_another_run_holds_is_refused(folder):
    with FileLock(folder.path / ".lock"), pytest.raises(Busy):
        run_experiment(Experiment(SMOKE, (1,), 1, 1.0, folder.path), Told())


def test_a_seed_that_fails_is_told_with_its_last_words(folder):
    write_seed(folder, 1, leave_out=1)
    (folder.seed(1) / "work").write_text("a file where a folder belongs")
    (folder.seed(1) / "teacher").write_text("no checkpoint")
    for name in NAMES[2:]:
        path_of(folder.seed(1), name).unlink(missing_ok=True)
    with pytest.raises(SeedFailed, match="Seed 1 ended with code"):
        run_experiment(Experiment(SMOKE, (1,), 1, 1.0, folder.path), Told())
    assert read_record(folder.path / RECORD).seeds == (1,)


def test_an_arm_of_another_scale_or_a_broken_one_counts_as_not_there(folder):
    place = folder.seed(1)
    place.mkdir()
    write_result(place, result("teacher", scale=SMOKE), "another")
    path_of(place, "l2-mean kl").write_text('{"schema": "minizoo.arm/1", "sca')
    path_of(place, "corrected").write_text(json.dumps({"schema": "minizoo.arm/1", "scale": SMOKE.digest, "losses": 3}))
    assert folder.arms(1) == {}


@SETTINGS
@given(
    st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1e6)), min_size=1, max_size=5), st.text(min_size=1), st.floats(0, 1e6)
)  # fmt: skip
def test_an_arm_comes_back_as_it_was_written(tmp_path_factory, documents, why, seconds):
    place = tmp_path_factory.mktemp("arm")
    losses = Losses(tuple(tokens for tokens, _ in documents), tuple(nll for _, nll in documents))
    whole = ArmResult("l2-mean kl", 3, {"own": losses}, 12, 34, seconds, seconds, why)
    write_result(place, whole, "scale")
    assert read_result(place, "l2-mean kl", "scale") == whole


def test_a_record_keeps_its_verdicts(tmp_path):
    record = made_record()
    path = tmp_path / "findings.json"
    path.write_text(record.text())
    assert [each.word for each in judged_of(read_record(path))] == [each.word for each in judged_of(record)]
    words = {each.finding.id: each.word for each in judged_of(record)}
    assert words["pruned-beats-random-init"] == words["width-beats-depth"] == "same"
    assert read_record(tmp_path / "nothing.json") is None
    path.write_text("{}")
    with pytest.raises(InvalidFile, match="no record of findings"):
        read_record(path)
