"""A run that TensorBoard is told of: what stands in its file is what stands in metrics.jsonl, over an interruption too."""

import json
import os
import signal
import struct

import pytest
from support.distilling import losses, short_run, write_text

from minizoo.display.distill.progress import DistillProgress

pytest.importorskip("tensorboardX")


def scalars(folder):
    """Tag → (step, value) of every event file below the folder, in the order of steps."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.rglob("events.out.*"):
        data, at = path.read_bytes(), 0
        while at < len(data):  # each record: its length, 4 bytes of checksum, the event, 4 bytes of checksum
            (size,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + size])
            at += 16 + size
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return {tag: sorted(values) for tag, values in found.items()}


def test_tensorboard_has_every_step_once_though_the_run_was_stopped(minizoo, tmp_path, monkeypatch):
    out, told = tmp_path / "out", DistillProgress.trained
    command = [*short_run(write_text(tmp_path / "nano.jsonl"), out), "--tracker", "tensorboard"]

    def stopping(self, training, metrics, steps):
        told(self, training, metrics, steps)
        if metrics.step == 3:
            monkeypatch.setattr(DistillProgress, "trained", told)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(DistillProgress, "trained", stopping)
    assert minizoo(*command).code == 130
    assert (tmp_path / ".out.distilling/logs/out").is_dir()
    resumed = minizoo(*command)
    assert resumed.code == 0, resumed.err
    found = scalars(out / "logs")
    assert [step for step, _ in found["train/loss"]] == [1, 2, 3, 4, 5, 6]
    assert [value for _, value in found["train/loss"]] == pytest.approx(losses(out), rel=1e-6)
    assert {"train/rate", "train/grad_norm", "train/tokens_per_s"} <= set(found)
    (settings,) = (out / "logs").rglob("hparams.yml")
    assert "training.rate: 0.002" in settings.read_text()


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_loaded(minizoo, tmp_path, monkeypatch):
    import accelerate.tracking

    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [])
    command = short_run(write_text(tmp_path / "nano.jsonl"), tmp_path / "out")
    ran = minizoo(*command, "--tracker", "wandb", "--json")
    assert (ran.code, ran.json()["code"]) == (4, "package-missing")
    assert "pip install wandb" in json.dumps(ran.json())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nano.jsonl"]


def test_a_tracker_that_breaks_does_not_break_the_run(minizoo, tmp_path, monkeypatch):
    from accelerate.tracking import TensorBoardTracker

    def full(*_given, **_named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoardTracker, "log", full)
    ran = minizoo(*short_run(write_text(tmp_path / "nano.jsonl"), tmp_path / "out"), "--tracker", "tensorboard")
    assert ran.code == 0, ran.err
    assert ran.err.count("The tracker tensorboard failed at step 1") == 1
    assert len(losses(tmp_path / "out")) == 6
