"""`minizoo gate` on the command line: exit codes, what is bad input and how it is told, baselines."""

import shutil
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from support.compared import keep
from support.gated import flips

from harness.baselines.accept import accept
from harness.gates.noise.file import GoldNoise, NoiseFile, TaskNoise, save_noise
from harness.records.files import new_run_id

OLD, WORSE = flips(400, 60, 0)
POLICY = """\
name: mine
alpha: {accuracy: 0.005, gold: 0.0015, speed: 0.0015}
accuracy:
  - {task: winogrande, tier: critical, ask: [detect, release], margin: 2pp}
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of results with models that differ in one thing each."""
    folder = tmp_path_factory.mktemp("gate") / "results"
    keep(folder, "old", OLD)
    keep(folder, "same", OLD)
    keep(folder, "worse", WORSE)
    keep(folder, "prompted", OLD, columns={"request_hash": [f"other {i}" for i in range(400)]})
    keep(folder, "elsewhere", OLD, "boolq")
    for model in ("odd", "odd-too"):
        keep(folder, model, OLD, metric="oddness", score={"higher_is_better": None})
    return folder


@pytest.fixture
def gate(minizoo, tmp_path, kept, monkeypatch):
    """Run `minizoo gate` in an empty folder with a policy of one entry, or another text."""
    monkeypatch.chdir(tmp_path)

    def call(*words, policy=POLICY, results=kept):
        (tmp_path / "gate.yaml").write_text(policy, "utf-8")
        return minizoo("gate", *words, "--policy", "gate.yaml", "--results", results)

    return call


def test_a_worse_candidate_exits_with_1_and_is_written_everywhere(gate, tmp_path):
    ran = gate("old", "worse", "--json", "--junit", "gate.xml")
    told = ran.json()
    assert (ran.code, told["schema"], told["verdict"]) == (1, "minizoo.gate/1", "REGRESSED")
    assert told["verdicts"][0]["where"] == "gate.yaml:4:5"
    assert ET.parse(tmp_path / "gate.xml").find("testsuite").get("failures") == "1"
    shown = gate("old", "worse")
    assert shown.code == 1
    assert shown.out.rstrip().endswith("REGRESSED: 1 REGRESSED of 1: worse winogrande (acc).")
    assert "lost 60 and gained 0 of 400" in shown.out
    assert gate("old", "worse", "--markdown").out.startswith("## REGRESSED")


def test_an_equal_candidate_passes(gate):
    ran = gate("old", "same")
    assert (ran.code, ran.out.rstrip().endswith("PASS: 1 PASS of 1.")) == (0, True)
    assert "uncalibrated" in ran.out
    assert "detect: false alarms at most 0.008 a night over the whole plan" in ran.out


def test_a_fresh_clone_has_records_of_reference_to_gate(minizoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = minizoo("gate", "nano-teacher", "nano-width-pruned", "--policy", "release")
    assert ran.code == 1
    assert "REGRESSED: 6 REGRESSED of 6: nano-width-pruned nano_words (acc)" in ran.out
    assert "record of reference" in ran.out
    assert not list(tmp_path.iterdir())


def test_exit_zero_holds_the_code_back_and_says_so(gate):
    ran = gate("old", "worse", "--exit-zero")
    assert (ran.code, "exit code 1 is held back" in ran.err) == (0, True)


@pytest.mark.parametrize(
    ("sides", "policy", "code", "words"),
    [
        (("old", "same"), POLICY.replace("winogrande", "winogrannde"), 2, "gate.yaml:4:12: accuracy → 0 → task: there is no"),
        (("old", "same"), POLICY.replace("margin", "metric: acuracy, margin"), 2, "there is no metric 'acuracy'"),
        (("odd", "odd-too"), POLICY.replace("2pp", "0.02"), 2, "nobody knows whether more oddness of winogrande is better"),
        (("old", "same"), POLICY.replace("[detect, release]", "[]"), 2, "asks nothing"),
        (("old", "same"), "", 2, "the file is empty"),
        (("old", "odl"), POLICY, 2, "There is no model, run, baseline or folder named 'odl'. Did you mean 'old'?"),
        (("old", "old"), POLICY, 2, "the same results"),
        (("baseline:gone", "old"), POLICY, 2, "There is no file of baselines baselines.yaml"),
        (("old",), POLICY, 2, "Give both REFERENCE and CANDIDATE"),
        (("old", "same", "--json", "--markdown"), POLICY, 2, "exclude each other"),
        (("old", "same", "--model", "old"), POLICY, 2, "--model goes with --calibrate"),
        (("old", "same", "--noise", "none.json"), POLICY, 2, "none.json"),
        (("old", "same", "--junit", "no/such/folder.xml"), POLICY, 4, "cannot be written"),
        ((), POLICY, 2, "There is no file of baselines baselines.yaml"),
    ],
)  # fmt: skip
def test_bad_input_is_named_in_a_paragraph(gate, sides, policy, code, words):
    ran = gate(*sides, policy=policy)
    assert ran.code == code
    assert words in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("candidate", "status", "words"),
    [
        ("prompted", "INCOMPARABLE", "prompts differ: the requests of 400 of 400 documents"),
        ("elsewhere", "MISSING", "has no record of it"),
    ],
)
def test_nothing_compared_is_no_pass(gate, candidate, status, words):
    ran = gate("old", candidate)
    assert ran.code == 3
    assert f"NOTHING COMPARED: 1 {status} of 1" in ran.out
    assert words in ran.out


def test_nothing_in_common_is_no_pass_in_any_tier(gate):
    ran = gate("old", "elsewhere", policy=POLICY.replace("critical", "advisory"))
    assert ran.code == 3


def test_what_was_calibrated_is_said_and_a_margin_below_the_noise_of_identical_code_widened(gate, tmp_path):
    gold = GoldNoise(documents=400, mean=0.0, lowest_mean=-0.02, highest_mean=0.01, sd=0.1, largest=1.0)
    seen = TaskNoise(
        task="winogrande", metric="acc", filter="none", documents=400, runs=2, lost=1, gained=1, discordance=0.0025,
        highest=0.005, upper=0.02, largest_difference=0.0, sd=0.05, gold=gold,
    )  # fmt: skip
    made = NoiseFile(
        model="old", suite="smoke", backend="hf", device="cpu", versions={}, made=datetime(2026, 11, 30, tzinfo=UTC),
        first="float32", variations=("bfloat16", "float32"), seconds=(1.0, 1.0), tasks=(seen,),
    )  # fmt: skip
    save_noise(tmp_path / "gate-noise.json", made)
    ran = gate("old", "same", policy=POLICY.replace("2pp", "2pp, gold_margin: 0.01"))
    assert ran.code == 0
    assert "Calibrated on 2026-11-30 by 2 re-runs of old on smoke (cpu)." in ran.out
    assert "widened from 0.01 to 0.04 nats" in ran.out
    assert "uncalibrated" not in ran.out


def test_calibrating_compares_nothing(gate, minizoo):
    assert "--calibrate compares nothing" in minizoo("gate", "old", "same", "--calibrate", 1, "--model", "old").err
    assert "--calibrate needs --model" in minizoo("gate", "--calibrate", 1).err


def test_a_policy_is_needed(minizoo):
    ran = minizoo("gate", "old", "same")
    assert (ran.code, "Missing option '--policy'" in ran.err) == (2, True)


def test_a_corrupt_record_is_named_and_missing_though_an_older_one_is_there(gate, tmp_path):
    results = tmp_path / "results"
    for model in ("old", "same"):
        keep(results, model, OLD)
    run = new_run_id()
    keep(results, "same", OLD, run_id=run)
    keep(results, "same", OLD, "boolq", run_id=run)
    (broken,) = results.glob(f"runs/*/{run}/winogrande/record.json")
    broken.write_text('{"run_id": ')
    ran = gate("old", "same", results=results)
    assert ran.code == 3
    assert "MISSING" in ran.out
    assert f"{run}/winogrande/record.json cannot be read" in ran.out


def test_baselines_are_compared_with_the_newest_runs_of_their_models(gate, tmp_path):
    results, file = tmp_path / "results", tmp_path / "baselines.yaml"
    accepted = keep(results, "old", OLD)
    accept(results, accepted.run_id, file, "first good run", by="anna")
    alone = gate(results=results)
    assert alone.code == 3
    assert "no run of old newer than its baseline, of suite smoke by hf on cpu" in alone.out
    keep(results, "old", WORSE)
    keep(results, "old", OLD)
    assert gate(results=results).code == 0
    keep(results, "old", WORSE)
    worse = gate(results=results)
    assert (worse.code, "REGRESSED: 1 REGRESSED of 1: old winogrande (acc)" in worse.out) == (1, True)
    shutil.rmtree(tmp_path / "baselines")
    gone = gate(results=results)
    assert gone.code in (2, 4)
    assert "The bundle of baseline old" in gone.err
    assert "Traceback" not in gone.err
