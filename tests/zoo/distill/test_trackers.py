"""Whoever is told of a run's steps: refused before anything is computed, and never a reason to lose a training."""

import os
from dataclasses import asdict

import accelerate.tracking
import pytest
from accelerate.tracking import GeneralTracker

from zoo.distill.request import DistillRequest
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.tracking import Trackers, check_trackers, settings_of
from zoo.distill.train.metrics import StepMetrics, append
from zoo.distill.train.watcher import Measured
from zoo.errors import InvalidOption, PackageMissing, TrackerBroken


class Diary(GeneralTracker):
    """A tracker of somebody's own, which accelerate knows by its name."""

    name, requires_logging_directory = "diary", False
    fails_at, entries, settings = None, [], {}

    def __init__(self, run_name, **_given):
        super().__init__()
        self.run_name = run_name

    @property
    def tracker(self):
        return self

    def start(self):
        if self.fails_at == "start":
            raise OSError("no account")

    def store_init_configuration(self, values):
        self.settings.update(values)

    def log(self, values, step=None, **_given):
        if self.fails_at == step:
            raise ConnectionError("the server\nis gone")
        self.entries.append((step, values))

    def finish(self):
        if self.fails_at == "finish":
            raise OSError("not sent")
        self.entries.append("finished")


@pytest.fixture
def diary(monkeypatch):
    monkeypatch.setitem(accelerate.tracking.LOGGER_TYPE_TO_CLASS, "diary", Diary)
    for name, value in (("fails_at", None), ("entries", []), ("settings", {})):
        monkeypatch.setattr(Diary, name, value)
    return Diary


def step(number, loss=0.5):
    return StepMetrics(number, loss, loss, 0.0, 0.0, 1e-4, 1.0, 100, 0.1, 0.2, 1000.0, None, "digest")


@pytest.fixture
def notes():
    return []


@pytest.fixture
def trackers(diary, notes, tmp_path):
    return Trackers(["diary"], tmp_path, "out", notes.append)


def test_every_step_and_every_measurement_is_told(trackers, diary):
    trackers.start({"training.rate": 1e-4})
    trackers.step("teacher correction", step(1, 3.0))
    trackers.step("training", step(1))
    trackers.evaluated(1, Measured(0.25, {"arc": 0.25}))
    trackers.finish()
    trackers.finish()
    (_, corrected), (at, first), tasks, end = diary.entries
    assert diary.settings == {"training.rate": 1e-4}
    assert (at, first["train/loss"], corrected["correction/loss"]) == (1, 0.5, 3.0)
    assert {"train/mfu", "train/step", "train/batch"}.isdisjoint(first), "what is unknown or no quantity is not told"
    assert tasks == (1, {"tasks/all": 0.25, "tasks/arc": 0.25})
    assert end == "finished"


@pytest.mark.parametrize("fails_at", [2, "finish"])
def test_one_that_fails_is_told_of_once_and_the_run_goes_on(trackers, diary, notes, monkeypatch, fails_at):
    monkeypatch.setattr(Diary, "fails_at", fails_at)
    trackers.start({})
    for number in (1, 2, 3):
        trackers.step("training", step(number))
    trackers.finish()
    assert len(notes) == 1
    assert "The tracker diary failed" in notes[0]
    assert "metrics.jsonl has every step" in notes[0]
    assert [entry[0] for entry in diary.entries] == ([1] if fails_at == 2 else [1, 2, 3])


def test_one_that_does_not_start_is_an_error_before_the_run(trackers, monkeypatch):
    monkeypatch.setattr(Diary, "fails_at", "start")
    with pytest.raises(TrackerBroken, match=r"diary did not start \(OSError: no account\).*leave --tracker diary away"):
        trackers.start({})


def test_steps_that_are_taken_again_are_not_told_again(trackers, diary, tmp_path):
    for number in (1, 2, 3):
        append(tmp_path / "metrics.jsonl", step(number))
    trackers.start({})
    for number in (3, 4):  # of a checkpoint after the second step
        trackers.step("training", step(number))
    assert [entry[0] for entry in diary.entries] == [4]


def test_accelerate_is_not_told_that_the_process_is_one_of_many(trackers, monkeypatch):
    import torch

    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    trackers.start({})
    assert not torch.distributed.is_initialized()
    assert os.environ["WORLD_SIZE"] == "2"


def test_a_name_that_is_none_is_refused_with_the_nearest():
    with pytest.raises(InvalidOption, match=r"no tracker named 'wanb'.*'wandb'"):
        check_trackers(["wanb"])


def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [])
    with pytest.raises(PackageMissing, match="pip install tensorboardX"):
        check_trackers(["tensorboard"])
    with pytest.raises(PackageMissing, match="pip install wandb"):
        check_trackers(["wandb"])


def test_settings_are_plain_values_under_flat_names():
    train, loss = TrainSettings(5, 8, 64), LossSettings(states=((3, 1),))
    request = DistillRequest("child", "parent", ("a.txt", "b.txt@0.3"), 2560, None, loss, train)
    told = settings_of(request, 2)
    assert (told["student"], told["data"], told["processes"]) == ("child", "a.txt, b.txt@0.3", 2)
    assert (told["training.rate"], told["training.betas"]) == (1e-4, "0.9, 0.95")
    assert {type(value) for value in told.values()} <= {bool, int, float, str}
    assert len([name for name in told if name.startswith("training.")]) == len(asdict(train))
