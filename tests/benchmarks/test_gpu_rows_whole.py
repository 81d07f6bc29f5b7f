"""gpu_rows as a stranger calls it: real processes over the shipped family, killed once and gone on with."""

import json
import subprocess
import sys
import time

import pytest
from support.paths import ROOT

from benchmarks.rows.process import environment
from harness.bundles.unpack import read_bundle

WORKLOAD = """
name: tiny
shapes: [{input: 8, output: 4}]
batches: [1, 2]
rule: {trials: 6, seconds: 0, warmup: 3}
"""


@pytest.fixture
def call(tmp_path):
    """The command line of gpu_rows over a pair of the shipped family, in a folder of the test's own."""
    (tmp_path / "tiny.yaml").write_text(WORKLOAD, "utf-8")
    words = ["--device", "cpu", "--dtype", "float32", "--models", "nano-depth-pruned", "--workloads", "tiny.yaml"]
    return [sys.executable, str(ROOT / "benchmarks/gpu_rows.py"), *words, "--seconds", "0", "--even-if-busy"]


def outcomes(folder):
    """How the attempts of each step ended, as far as the state says."""
    path = folder / "gpu-rows/gpu_rows.json"
    attempts = json.loads(path.read_text())["attempts"] if path.exists() else {}
    return {key: [one["outcome"] for one in of_step] for key, of_step in attempts.items()}


def test_a_call_that_is_killed_in_the_midst_of_a_step_is_gone_on_with_by_the_same_command(call, tmp_path):
    first, second = (f"tiny.b{batch}.nano-depth-pruned.nano-teacher" for batch in (1, 2))
    with subprocess.Popen(call, cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL) as process:
        while second not in outcomes(tmp_path):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    before = outcomes(tmp_path)
    assert before[first][0] in ("done", "busy", "invalid")  # as busy as the machine of the test is
    assert before[second] == [None]

    done = subprocess.run(call, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    after = outcomes(tmp_path)
    assert after[first] == before[first]
    assert after[second][0] == "broken off"
    assert after[second][1] in ("done", "busy", "invalid")
    (path,) = (tmp_path / "gpu-rows").glob("minizoo-rows-*.zip")
    bundle = read_bundle(path)
    pairs = [(one.record.speed.batch, mode.mode) for one in bundle.records for mode in one.record.speed.comparisons
             if mode.metric == "output_rate"]  # fmt: skip
    assert sorted(mode for _, mode in pairs) == ["equal batch"] * 2 + ["equal memory"] * 2
    assert len(bundle.records) == len({(one.record.run_id, one.record.task) for one in bundle.records}) == 8
    assert all(one.record.setting.host == "withheld" for one in bundle.records)
    assert f"gpu-rows/{path.name}: 8 rows (" in done.stdout
    assert not list((tmp_path / "gpu-rows").rglob("*.part"))
