"""`minizoo bench` end to end: on the shipped model, and on a fake backend with known timings."""

import itertools
import json

import duckdb
import pytest
import torch
from support.fake_nvml import A100, FakeNvml
from support.speed_fakes import QUICK, records_of


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
    record = records_of(ran)["batch1.128x128.b1"]
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
    shown = records_of(bench("--json", *QUICK))["batch1.128x128.b1"]["speed"]["statistics"]
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
    recorded = records_of(bench("--json", *QUICK))["batch1.128x128.b1"]["speed"]["statistics"]
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
