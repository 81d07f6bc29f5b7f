"""A line a step, and what it is made of."""

import json

import pytest
from support.small_training import LENGTH, SETTINGS, run, small_rows

from zoo.distill.batch import counted
from zoo.distill.train.metrics import Work, cut_after, read
from zoo.distill.train.watcher import Watcher

FIELDS = [
    "step", "loss", "divergence", "cross_entropy", "states", "rate", "grad_norm", "tokens", "seconds", "elapsed",
    "tokens_per_s", "mfu", "batch",
]  # fmt: skip


def test_every_step_is_a_line_and_is_told(tmp_path):
    told = []
    work = Work(flops_per_token=1e6, peak_flops=1e9)
    run(tmp_path, work=work, watcher=Watcher(step=lambda metrics, steps: told.append((metrics, steps))))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [FIELDS] * 6
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [metrics.line() for metrics, steps in told] == [json.dumps(line) + "\n" for line in lines]
    rows = small_rows()
    tokens = 0
    for step, line in enumerate(lines):
        tokens += sum(int(counted(one).sum()) for one in rows.batches(step, 0, 1, 4, 1))
        assert line["tokens"] == tokens
        assert line["tokens_per_s"] == pytest.approx(4 * LENGTH / line["seconds"], rel=0.01)
        assert line["mfu"] == pytest.approx(line["tokens_per_s"] * 1e6 / 1e9, rel=1e-3)
    assert lines[-1]["rate"] == SETTINGS.least_rate
    assert len({line["batch"] for line in lines}) == 6


def test_where_the_peak_is_unknown_so_is_its_share():
    assert Work(1e6, None).mfu(10.0) is None
    assert Work(None, 1e12).mfu(10.0) is None
    assert Work(2e6, 1e9).mfu(100.0) == 0.2


def test_lines_after_a_step_go_and_a_cut_line_with_them(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read(path) == []
    cut_after(path, 3)
    assert not path.exists()
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    cut_after(path, 2)
    assert read(path) == [{"step": 1}, {"step": 2}]
