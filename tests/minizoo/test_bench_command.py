"""`minizoo bench` end to end: on the shipped model, and on a fake backend that fails in every way a real one can."""

import itertools
import json

import duckdb
import pytest
import torch
from support.fake_nvml import A100, FakeNvml
from support.speed_fakes import FakeBackend, FakeProbe, Hand

import harness.speed.loading as loading
from harness.nvml import DeviceGone
from harness.speed.workloads.workload import load_workload

QUICK = ("--trials", "6", "--seconds", "0")


@pytest.fixture
def bench(minizoo, tmp_path):
    """Run `minizoo bench` on the nano teacher with results in a folder of the test's own."""

    def call(*words):
        return minizoo("bench", "nano-teacher", "--results", tmp_path, *words)

    return call


@pytest.fixture
def fake(monkeypatch):
    """Let a fake backend (and its clock) stand where the model would be; returns a function that says how it behaves."""

    def behave(probe=None, **words):
        hand = Hand()
        made = FakeBackend(hand, **words)
        monkeypatch.setattr(loading, "open_backend", lambda *_: made)
        monkeypatch.setattr(loading, "Clock", lambda: hand.clock)
        if not made.device.startswith("cuda"):
            monkeypatch.setattr(loading, "open_probe", lambda device: probe or FakeProbe(hand))
        return made

    return behave


def records(ran):
    return {record["task"]: record for record in ran.json()["records"]}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A workload that takes a second: 16 tokens in, 8 out."""
    path = tmp_path_factory.mktemp("workloads") / "short.yaml"
    path.write_text(
        "name: short\nshapes: [{input: 16, output: 8}]\nbatches: [1]\nrule: {trials: 6, seconds: 0}\n", "utf-8"
    )
    return path


def test_the_shipped_model_is_measured_on_a_cpu_with_every_figure(bench, tmp_path):
    ran = bench("--workload", "batch1", "--json", *QUICK)
    assert ran.code in (0, 3), ran.err  # 3: the machine of the test was busy, and the record says so
    record = records(ran)["batch1.128x128.b1"]
    assert record["status"] == "ok"
    speed = record["speed"]
    middle = {s["metric"]: s for s in speed["statistics"] if s["statistic"] == "p50"}
    assert {"ttft", "itl", "tpot", "tpot_guidellm", "e2e", "output_rate", "total_rate", "request_rate"} <= set(middle)
    for found in middle.values():
        assert 0 < found["lower"] <= found["value"] <= found["upper"]
    assert middle["itl"]["n"] == 127 * speed["trials"]
    assert {(a["step"], a["against"]) for a in speed["achieved"]} == {("decode", "measured"), ("prefill", "measured")}
    for step in speed["achieved"]:
        assert step["bound_by"] in ("bandwidth", "compute")
        assert step["percent"] == pytest.approx(100 * step["roofline_s"] / step["measured_s"])
    assert (ran.code == 0) == speed["validity"]["valid"]
    assert all(reason["code"] and reason["text"] for reason in speed["validity"]["reasons"])
    assert speed["memory"]["resident"] > 0
    assert list(tmp_path.glob("runs/*/*/batch1.128x128.b1/trials.parquet"))
    assert list(tmp_path.glob("runs/*/*/batch1.128x128.b1/telemetry.parquet"))


def test_the_record_keeps_values_and_counts_and_json_has_the_intervals_beside(bench, fake, tmp_path):
    fake(prefill=0.5, step=0.125)
    shown = records(bench("--json", *QUICK))["batch1.128x128.b1"]["speed"]["statistics"]
    (file,) = tmp_path.glob("runs/*/*/*/record.json")
    kept = json.loads(file.read_text())["speed"]["statistics"]
    assert [(s["metric"], s["statistic"], s["value"], s["n"]) for s in kept] == [
        (s["metric"], s["statistic"], s["value"], s["n"]) for s in shown
    ]
    assert {(s["lower"], s["upper"], s["confidence"], s["refused"]) for s in kept} == {(None,) * 4}
    ttft = {s["statistic"]: s for s in shown if s["metric"] == "ttft"}
    assert (ttft["p50"]["lower"], ttft["p50"]["upper"], ttft["p50"]["confidence"]) == (0.5, 0.5, 0.95)
    assert ttft["p99"]["value"] is None
    assert "299" in ttft["p99"]["refused"]


def test_the_table_names_every_column_and_the_verdict(bench, short):
    ran = bench("--workload", short)
    for word in ("TTFT", "ITL", "TPOT (vLLM)", "TPOT (GuideLLM)", "E2E", "tokens/s", "95 % interval", " n ", "p99",
                 "% of measured roofline", "bound by", "validity", "load", "first call", "copy of"):  # fmt: skip
        assert word in ran.out, word
    assert "validity: valid" in ran.out or "validity: INVALID: " in ran.out


def test_the_seed_draws_arrivals_and_prompts(bench, fake, tmp_path):
    def due(seed):
        fake(prefill=0.01, step=0.01)
        run_id = bench("--rate", "40", "--requests", "30", "--seed", seed, "--json").json()["run_id"]
        with duckdb.connect() as connection:
            return connection.execute(
                f"SELECT submit_s FROM '{tmp_path}/runs/*/{run_id}/*/trials.parquet' WHERE phase = 'trial'"
            ).fetchall()

    def gaps(seed):
        times = [time for (time,) in due(seed)]
        return [round(later - sooner, 9) for sooner, later in itertools.pairwise(times)]

    assert gaps(1) == gaps(1)
    assert gaps(1) != gaps(2)


def test_arrivals_at_a_rate_are_measured_on_the_real_backend(bench, short):
    ran = bench("--workload", short, "--rate", "40", "--requests", "30", "--json")
    (record,) = ran.json()["records"]
    assert record["task"] == "short.16x8.r40"
    n = {s["metric"]: s["n"] for s in record["speed"]["statistics"]}
    assert n["ttft"] == n["e2e"] == 30


def test_the_database_derives_the_same_figures_from_the_raw_rows(bench, fake, minizoo, tmp_path):
    fake(prefill=0.5, step=0.125)
    recorded = records(bench("--json", *QUICK))["batch1.128x128.b1"]["speed"]["statistics"]
    assert minizoo("db", "rebuild", "--results", tmp_path).code == 0
    with duckdb.connect(str(tmp_path / "minizoo.duckdb"), read_only=True) as connection:
        shown = connection.execute("SELECT metric, statistic, value, unit, valid FROM speed").fetchall()
        assert {(m, s): v for m, s, v, _, _ in shown} == {(s["metric"], s["statistic"]): s["value"] for s in recorded}
        assert all(unit and valid for *_, unit, valid in shown)
        again = connection.execute("SELECT DISTINCT value FROM metric_tpot").fetchall()
        assert again == [(0.125,)]
        times = connection.execute("SELECT token_s[1] - submit_s FROM trials WHERE phase = 'trial'").fetchall()
        assert times == [(0.5,)] * 6
        assert connection.execute("SELECT formula FROM speed_definitions WHERE metric = 'itl'").fetchall()


def test_out_of_memory_in_a_sweep_is_recorded_and_ends_it(bench, fake):
    backend = fake(room_limit=8)
    ran = bench("--workload", "offline", "--json", *QUICK)
    assert ran.code == 0
    found = {task: record["status"] for task, record in records(ran).items()}
    assert found == {**{f"offline.128x128.b{b}": "ok" for b in (1, 2, 4, 8)}, "offline.128x128.b16": "failed"}
    failed = records(ran)["offline.128x128.b16"]
    assert (failed["code"], failed["reason"]) == ("device-memory", "out of memory: tried to allocate slots for 16")
    assert [reason["code"] for reason in failed["speed"]["validity"]["reasons"]] == ["device-memory"]
    assert backend.closed


def test_out_of_memory_at_one_batch_leaves_the_others(bench, fake):
    fake(room_limit=8)
    ran = bench("--batch", "16,2,4", "--json", *QUICK)
    assert ran.code == 4
    assert [r["status"] for r in records(ran).values()] == ["failed", "ok", "ok"]


def test_a_sweep_of_two_shapes_goes_on_with_the_second(bench, fake, tmp_path):
    backend = fake(room_limit=2)
    file = tmp_path / "two.yaml"
    file.write_text("name: two\nshapes: [{input: 8, output: 4}, {input: 4, output: 4}]\nbatches: sweep\n", "utf-8")
    assert bench("--workload", file, *QUICK).code == 0
    assert backend.rooms == [1, 2, 4, 1, 2, 4]


@pytest.mark.parametrize(("patience", "rooms"), [(2, [1, 2, 4, 8, 16]), (0, [1, 2, 4, 8, 16, 32, 64])])
def test_a_sweep_ends_when_larger_batches_have_brought_nothing(bench, fake, tmp_path, patience, rooms):
    backend = fake(prefill=0.0, step=lambda n: max(1.0, backend.rooms[-1] / 4), room_limit=32)  # saturates at batch 4
    file = tmp_path / "sweep.yaml"
    file.write_text(
        f"name: s\nshapes: [{{input: 8, output: 4}}]\nbatches: sweep\nrule: {{patience: {patience}}}\n", "utf-8"
    )
    bench("--workload", file, *QUICK)
    assert backend.rooms == rooms


def test_what_arithmetic_says_cannot_fit_is_not_tried(bench, fake, monkeypatch):
    backend = fake()
    monkeypatch.setattr("harness.speed.memory.available_bytes", lambda: 0)
    monkeypatch.setattr("harness.speed.memory.resident_bytes", lambda: 4_000_000)
    ran = bench("--batch", "1,64", "--json", *QUICK)
    assert [r["status"] for r in records(ran).values()] == ["ok", "failed"]
    assert backend.rooms == [1]


def statuses(results):
    files = [json.loads(path.read_text()) for path in sorted(results.glob("runs/*/*/*/record.json"))]
    return [(record["speed"]["point"], record["status"], record["code"]) for record in files]


def test_a_backend_that_breaks_keeps_what_was_measured_before(bench, fake, tmp_path):
    backend = fake(breaks=lambda call: call == 2)
    ran = bench("--batch", "1,2,4", "--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (4, "backend-broke")
    assert "on cpu, at 128x128.b2, broke off (RuntimeError: CUDA error: unspecified launch failure)" in ran.err
    assert statuses(tmp_path) == [("128x128.b1", "ok", None), ("128x128.b2", "infra_failed", "backend-broke")]
    assert backend.closed


def test_a_gpu_that_vanishes_between_points_is_an_environment_fault(bench, fake, tmp_path):
    class Vanishing(FakeProbe):
        asked = 0

        def facts(self):
            self.asked += 1
            if self.asked > 2:
                raise DeviceGone("GPU is lost")
            return {}

    fake(probe=Vanishing(Hand()))
    ran = bench("--batch", "1,2,4", "--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (4, "device-lost")
    assert statuses(tmp_path) == [("128x128.b1", "ok", None), ("128x128.b2", "infra_failed", "device-lost")]


def test_a_gpu_that_is_taken_is_told_at_loading(bench, monkeypatch):
    def refuse(*_):
        raise torch.AcceleratorError("CUDA error: all CUDA-capable devices are busy or unavailable")

    monkeypatch.setattr(loading, "open_backend", refuse)
    ran = bench("--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (4, "device-missing")
    assert "all CUDA-capable devices are busy" in ran.err


def test_a_gpu_of_the_table_is_shown_with_its_percentage(bench, fake, monkeypatch):
    nvml = FakeNvml(monkeypatch, A100)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: A100["name"])
    monkeypatch.setattr(
        torch.cuda, "get_device_properties",
        lambda device: type("P", (), {"uuid": "1234", "name": A100["name"], "major": 8, "minor": 0, "total_memory": 1}),
    )  # fmt: skip
    fake(device="cuda:0")
    ran = bench(*QUICK)
    assert ran.code == 0, ran.err
    assert "NVIDIA A100-SXM4-80GB" in ran.out
    assert "roofline, data sheet: 2.04 TB/s, 312 TFLOP/s" in ran.out
    assert nvml.open == 0


def test_an_output_that_falls_short_gives_exit_code_3(bench, fake):
    fake(tokens=100)
    ran = bench("--json", *QUICK)
    assert ran.code == 3
    (record,) = records(ran).values()
    assert [reason["code"] for reason in record["speed"]["validity"]["reasons"]] == ["output-short"]


WRONG = {
    "--batch=-1": "invalid-option",
    "--batch=0": "invalid-option",
    "--batch=65537": "invalid-option",
    "--batch=many": "usage",
    "--rate=-2": "invalid-option",
    "--rate=nan": "invalid-option",
    "--batch=2 --rate=2": "conflicting-options",
    "--trials=0": "invalid-option",
    "--seconds=-1": "invalid-option",
    "--requests=0 --rate=1": "invalid-option",
    "--seed=-1": "usage",
    "--workload=chatt": "unknown-name",
    "--workload=no/such.yaml": "file-missing",
    "--workload=generate": "workload-too-long",
    "--backend=hff": "unknown-name",
    "--device=gpu": "invalid-option",
    "--dtype=int8": "unsupported-dtype",
    "--model=nano-teacher": "conflicting-options",
    "--name=mine": "invalid-option",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_makes_no_sense_is_refused_in_one_paragraph_and_nothing_is_recorded(bench, tmp_path, words):
    ran = bench(*words.split(), "--json")
    assert (ran.code, ran.json()["code"]) == (2, WRONG[words])
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))


def test_a_backend_that_cannot_stream_is_refused(bench, fake):
    backend = fake(stream=False)
    ran = bench("--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (2, "no-streaming")
    assert backend.closed


def test_shapes_longer_than_the_context_are_left_out_and_named(bench, fake):
    fake()
    ran = bench("--workload", "published", *QUICK)
    assert "Left out, longer than the model's 512 tokens: 128x2048, 128x4096" in ran.err
    assert "128x128.b64" in ran.out


def test_a_local_model_is_filed_under_its_own_name_and_parent(minizoo, tmp_path, stories):
    ran = minizoo(
        "bench",
        "--model",
        stories,
        "--name",
        "mine",
        "--parent",
        "nano-teacher",
        "--results",
        tmp_path,
        "--json",
        *QUICK,
    )
    assert ran.code in (0, 3), ran.err
    subject = ran.json()["records"][0]["subject"]
    assert (subject["kind"], subject["name"], subject["parent"]) == ("folder", "mine", "nano-teacher")


@pytest.mark.parametrize("key", ["slo", "limits"])
def test_a_workload_states_its_service_level_under_either_key(tmp_path, key):
    file = tmp_path / "mine.yaml"
    file.write_text(f"name: mine\nshapes: [{{input: 8, output: 4}}]\nbatches: [1]\n{key}: {{ttft: 2.0}}\n")
    assert load_workload(str(file)).slo.ttft == 2.0


def test_a_workload_keeps_the_digest_that_older_records_have():
    assert load_workload("chat").digest()[:16] == "0cbf12bd78b4a5e8"
