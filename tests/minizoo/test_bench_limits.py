"""`minizoo bench` ends early, saying so, where its time is up or others keep the machine busy, and at Ctrl-C."""

import json
import signal
import subprocess
import sys

import pytest
from support.speed_fakes import FakeProbe

import harness.records.files as record_files
import harness.speed.loading as loading
from harness.speed.probes.busy import busiest_processes, mean_busy
from harness.speed.trials.early_end import busy_of_late, only_invalid
from harness.speed.trials.trial import Trial
from harness.speed.workloads.workload import Rule

SHORT = ("--trials", "6", "--seconds", "0")
A_TRIAL = {"prefill": 10.0, "step": 0.0}
"""Ten seconds a trial."""


class Machine(FakeProbe):
    """Others keep processors busy, as `others` says by the time of the fake clock."""

    def __init__(self, hand, others, **about):
        super().__init__(hand, interval=0.5, about={"processors": 2, **about})
        self.others = others

    def sample(self):
        return {"others_busy": self.others(self.hand.at)}


@pytest.fixture
def on(fake):
    """A fake backend on a machine where others are busy as the function says."""

    def behave(others, **words):
        probe = Machine(None, others)
        backend = fake(probe=probe, **words)
        probe.hand = backend.hand
        return backend

    return behave


@pytest.fixture(autouse=True)
def no_processes(monkeypatch):
    monkeypatch.setattr("harness.speed.probes.busy.busiest_processes", lambda: ["a neighbour\x1b[2J (4711) 1.90"])


def kept(results):
    files = [json.loads(path.read_text()) for path in sorted(results.glob("runs/*/*/*/record.json"))]
    return {one["speed"]["point"]: [reason["code"] for reason in one["speed"]["validity"]["reasons"]] for one in files}


def test_a_machine_that_is_busy_from_the_first_ends_it_before_a_trial(bench, on, tmp_path):
    backend = on(lambda at: 1.9)
    ran = bench("--batch", "1,8", "--json", *SHORT, even_if_busy=False)
    assert ran.code == 3
    assert kept(tmp_path) == {"128x128.b1": ["nothing-measured", "machine-busy"]}
    assert ran.json()["ended"] == {"code": "machine-busy", "text": "other processes kept 1.90 of 2 processors busy"}
    assert ran.json()["not_begun"] == ["128x128.b8"]
    assert "Ended early: other processes kept 1.90 of 2 processors busy.\n" in ran.err
    assert "Busiest now, with processors each: a neighbour\\x1b[2J (4711) 1.90.\n" in ran.err
    assert "--even-if-busy" in ran.err
    assert list(tmp_path.glob("runs/*/*/*/telemetry.parquet"))
    assert backend.rooms == []
    assert backend.closed


def test_it_measures_all_the_same_where_that_is_wanted(bench, on, tmp_path):
    on(lambda at: 1.9)
    ran = bench("--batch", "1,8", "--json", *SHORT, even_if_busy=True)
    assert (ran.code, ran.json()["ended"], ran.json()["not_begun"]) == (3, None, [])
    assert [record["speed"]["trials"] for record in ran.json()["records"]] == [6, 6]


def test_a_burst_that_passes_does_not_end_it(bench, on, tmp_path):
    on(lambda at: 1.9 if at < 102 else 0.0)
    assert bench(*SHORT, even_if_busy=False).code == 0
    assert kept(tmp_path) == {"128x128.b1": []}


def test_a_table_without_a_figure_says_why_in_words(bench, on):
    on(lambda at: 1.9)
    ran = bench(*SHORT, even_if_busy=False)
    assert "validity: INVALID: nothing was measured; other processes kept 1.90 of 2 processors busy" in ran.out
    assert "metric" not in ran.out


def seconds(*values):
    """Samples a second apart, of processors that others kept busy."""
    return [{"time_s": float(at), "others_busy": value} for at, value in enumerate(values)]


def trials(count, each=1.0):
    step = type("S", (), {"time": each})()
    return [Trial(number, "trial", (), {0: 0.0}, {0: 0.0}, (step,)) for number in range(count)]


def test_trials_go_on_while_quiet_ones_could_still_make_the_result_valid():
    rule = Rule(trials=10, seconds=0)
    assert only_invalid(seconds(0, 0.3, 0.3), [trials(2)], rule) is None  # 0.6 of at most 1 in ten seconds
    assert only_invalid(seconds(0, 0.9, 0.9), [trials(2)], rule).code == "machine-busy"
    assert only_invalid(seconds(0, 0.9), [trials(1)], rule) is None
    assert (
        only_invalid([{"time_s": 0.0, "other_processes": 2}], [trials(1)], rule).text == "2 other processes on the GPU"
    )


def test_a_machine_is_busy_of_late_where_no_sample_of_five_seconds_was_quiet():
    assert busy_of_late(seconds(0, 1, 1, 1, 1, 1, 1))
    assert busy_of_late(seconds(0, 1, 1)) is None
    assert busy_of_late(seconds(0, 1, 1, 1, 0.05, 1, 1)) is None
    at_once = [*seconds(0, 1, 1, 1, 1, 1), {"time_s": 5.0001, "others_busy": 0.0}]
    assert busy_of_late(at_once)


def test_a_sample_that_follows_at_once_weighs_next_to_nothing():
    assert mean_busy([*seconds(0, 0, 0), {"time_s": 2.001, "others_busy": 10.0}]) == pytest.approx(0.01 / 2.001)


def test_the_busiest_process_is_named(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            told = busiest_processes(0.5)
        finally:
            busy.kill()
    assert told == [] or any("(" in one for one in told)


def test_past_the_time_no_trial_begins_and_what_was_measured_is_recorded(bench, fake, tmp_path):
    fake(**A_TRIAL)
    ran = bench("--batch", "1,2,4", "--max-minutes", "1.5", "--json", *SHORT)  # 90 s: three warm-ups and six trials
    assert ran.code == 3
    assert kept(tmp_path) == {"128x128.b1": []}
    assert (ran.json()["ended"]["code"], ran.json()["not_begun"]) == ("time-limit", ["128x128.b2", "128x128.b4"])
    ran = bench("--batch", "1,2,4", "--max-minutes", "1.9", "--json", *SHORT)
    assert ran.json()["not_begun"] == ["128x128.b4"]
    short = ran.json()["records"][1]["speed"]
    assert [reason["code"] for reason in short["validity"]["reasons"]] == ["nothing-measured", "time-limit"]


def test_too_few_trials_for_the_rule_are_kept_and_invalid(bench, fake, tmp_path):
    fake(**A_TRIAL)
    ran = bench("--max-minutes", "1", *SHORT)
    assert ran.code == 3
    assert kept(tmp_path) == {"128x128.b1": ["time-limit"]}
    assert "the time limit ended it after 3 of at least 6 trials" in ran.out
    assert "Ended early: the time limit was reached." in ran.err


def test_of_a_sweep_the_next_batch_is_named(bench, fake):
    fake(**A_TRIAL)
    ran = bench("--workload", "offline", "--max-minutes", "1.5", "--json", *SHORT)
    assert (ran.code, ran.json()["not_begun"]) == (3, ["128x128.b2"])


def test_a_limit_that_loading_used_up_leaves_no_record_and_names_every_point(bench, fake, tmp_path):
    fake()
    ran = bench("--batch", "1,2", "--max-minutes", "1e-9", *SHORT)
    assert (ran.code, ran.out) == (3, "No point was measured.\n")
    assert "Not begun: 128x128.b1, 128x128.b2." in ran.err
    assert kept(tmp_path) == {}


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "1e9"])
def test_a_limit_that_is_none_is_refused(bench, minutes):
    ran = bench("--max-minutes", minutes, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "invalid-option")


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("stage", "points"), [("loading", 0), ("warm-up", 0), ("trial", 0), ("next point", 1), ("recording", 0)]
)
def test_ctrl_c_keeps_the_points_recorded_and_leaves_nothing_half(bench, fake, tmp_path, monkeypatch, stage, points):
    at = {"warm-up": 1, "trial": 4, "next point": 9}.get(stage)
    began = []
    backend = fake(prefill=lambda n: began.append(n) or (interrupt() if len(began) - 1 == at else 0.5))
    if stage == "loading":
        monkeypatch.setattr(loading, "open_backend", interrupt)
    if stage == "recording":
        monkeypatch.setattr(record_files, "publish_folder", interrupt)
    ran = bench("--batch", "1,2", *SHORT)
    assert ran.code == 130
    assert ran.err.count("minizoo: Interrupted.") == 1
    assert "Recorded before the interrupt: " + ("128x128.b1 (" if points else "no point yet.") in ran.err
    assert len(kept(tmp_path)) == points
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]
    assert backend.closed or stage == "loading"


def test_a_real_interrupt_ends_it_with_130(tmp_path):
    words = ["bench", "nano-teacher", "--results", str(tmp_path), "--trials", "1000", "--even-if-busy"]
    argv = [sys.executable, "-m", "minizoo", *words]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("128x128.b1 …"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "Recorded before the interrupt: no point yet.\n" in rest
    assert rest.count("minizoo: Interrupted.") == 1
    assert "Traceback" not in rest
    assert not list(tmp_path.rglob("*.part"))


def test_a_pair_ends_early_too(minizoo, fake, tmp_path, monkeypatch):
    backend = fake(**A_TRIAL)
    words = (
        "bench",
        "nano-teacher",
        "--against",
        "nano-teacher",
        "--results",
        tmp_path,
        "--batch",
        "1,2",
        "--json",
        *SHORT,
    )
    ran = minizoo(*words, "--max-minutes", "2")
    assert ran.code == 3, ran.err
    (pair,) = ran.json()["pairs"]
    assert "trials are too few" in pair["refused"]
    assert ran.json()["ended"]["code"] == "time-limit"
    assert len(ran.json()["not_begun"]) >= 1
    probe = Machine(backend.hand, lambda at: 1.9)
    monkeypatch.setattr(loading, "open_probe", lambda device: probe)
    ran = minizoo(*words)
    assert (ran.code, ran.json()["ended"]["code"]) == (3, "machine-busy")
