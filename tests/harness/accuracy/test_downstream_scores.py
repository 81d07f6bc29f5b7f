"""Importance by a task and the check of a rebuilt nano: a number that is none is no score there either."""

import math
from unittest.mock import Mock

import pytest
from support.answering import AnsweringBackend

import harness.accuracy.run as accuracy
from backends.contract import Options, Score
from harness.accuracy import nano_check
from harness.accuracy.downstream import Scored, task_scorer
from harness.records.record import MetricScore
from zoo.checkpoint.model_ref import resolve
from zoo.errors import TaskFailed
from zoo.prune.parent import open_parent


@pytest.fixture
def diverged(monkeypatch):
    backend = AnsweringBackend(lambda index, _: Score(index, math.nan, False))
    monkeypatch.setattr(accuracy, "open_backend", lambda *_: backend)


def test_layers_without_a_score_are_told_and_not_ranked(diverged, tmp_path):
    scored = Scored("nano_words", 2, None, Options("cpu"))
    score = task_scorer(open_parent(resolve("nano-teacher").folder), scored, tmp_path)
    with pytest.raises(TaskFailed, match=r"no score with layers \[0, 1\] alone .*NaN or infinite"):
        score([0, 1])


def metric(value):
    return MetricScore(metric="acc", filter="none", value=value, n=2, higher_is_better=True, chance=None)


ROW = ("nano_words", "acc,none")


@pytest.mark.parametrize("rebuilt", [{}, {ROW: metric(None)}])
def test_a_rebuilt_model_without_a_score_does_not_pass(monkeypatch, capsys, rebuilt):
    monkeypatch.setattr(nano_check, "_scores", lambda model: rebuilt if "/" in model else {ROW: metric(0.5)})
    monkeypatch.setattr("sys.argv", ["nano_check", "new"])
    assert nano_check.main() == 1
    shown = capsys.readouterr().out
    assert "NO SCORE" in shown
    assert "nan" not in shown.replace("nano", "")


def test_every_model_of_the_family_is_checked_and_one_that_is_worse_fails(monkeypatch, capsys):
    worse = {"new/nano-width-pruned": {ROW: metric(0.1)}}
    monkeypatch.setattr(nano_check, "_scores", lambda model: worse.get(model, {ROW: metric(0.5)}))
    monkeypatch.setattr(nano_check, "estimate", lambda _: Mock(stderr=0.05))
    monkeypatch.setattr("sys.argv", ["nano_check", "new"])
    assert nano_check.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == nano_check.family()
    assert [line.split()[0] for line in lines if line.endswith("WORSE")] == ["nano-width-pruned"]


def test_a_check_of_nothing_does_not_pass(monkeypatch):
    monkeypatch.setattr(nano_check, "_scores", lambda _: {})
    monkeypatch.setattr("sys.argv", ["nano_check", "new"])
    assert nano_check.main() == 1
