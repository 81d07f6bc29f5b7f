"""A model against another: at equal batch and in equal memory, measured in turn, compared only where that is fair."""

import duckdb
import pytest
from support.speed_fakes import FakeBackend, FakeProbe, Hand, fake_system, workload

import harness.speed.loading as loading
from harness.records.speed_record import SpeedFacts, Validity
from harness.speed.compare.pairing import pairings
from harness.speed.compare.ratios import published_beside, refusal
from harness.speed.workloads.workload import load_workload
from zoo.arch.roofline import memory_bytes
from zoo.errors import NotComparable
from zoo.registry.loader import load_registry

CHILD, PARENT = (load_registry().models[name].architecture for name in ("nano-width-pruned", "nano-teacher"))


@pytest.fixture
def compare(minizoo, tmp_path, monkeypatch):
    """Run `minizoo bench --against` on two fake backends that share a clock; returns the call, and the backends."""
    path = tmp_path / "small.yaml"
    path.write_text("name: small\nshapes: [{input: 8, output: 5}]\nbatches: [2]\nrule: {trials: 9, seconds: 0}\n")

    def call(*words, child=None, parent=None, probe=None):
        hand = Hand()
        made = [FakeBackend(hand, **(child or {})), FakeBackend(hand, **(parent or {}))]
        waiting = list(made)
        monkeypatch.setattr(loading, "open_backend", lambda *_: waiting.pop(0))
        monkeypatch.setattr(loading, "Clock", lambda: hand.clock)
        monkeypatch.setattr(loading, "open_probe", lambda device: probe or FakeProbe(hand))
        call.backends = made
        return minizoo(
            "bench", "--model", "nano-width-pruned", "--against", "nano-teacher", "--workload", path, "--results",
            tmp_path / "results", *words,
        )  # fmt: skip

    return call


def test_both_rules_are_stated_with_their_batches():
    ours, theirs = fake_system(dims=CHILD), fake_system(dims=PARENT)
    equal, memory = pairings(workload((100, 28), batches=(2,)), ours, theirs)
    assert (equal.modes, equal.point.batch, equal.against.batch, equal.budget) == (("equal batch",), 2, 2, None)
    assert (memory.modes, memory.against.batch) == (("equal memory",), 2)
    assert memory.budget == memory_bytes(PARENT, 2, 128)
    assert (
        memory_bytes(CHILD, memory.point.batch, 128) <= memory.budget < memory_bytes(CHILD, memory.point.batch + 1, 128)
    )


def test_a_stated_memory_is_filled_by_both():
    ours, theirs = fake_system(dims=CHILD), fake_system(dims=PARENT)
    _, memory = pairings(workload((100, 28), batches=(1,)), ours, theirs, memory=5_000_000)
    for dims, batch in ((CHILD, memory.point.batch), (PARENT, memory.against.batch)):
        assert memory_bytes(dims, batch, 128) <= 5_000_000 < memory_bytes(dims, batch + 1, 128)


def test_one_pair_serves_both_rules_where_they_come_to_the_same():
    (only,) = pairings(workload((100, 28), batches=(2,)), fake_system(dims=CHILD), fake_system(dims=CHILD))
    assert (only.modes, only.point.batch, only.against.batch) == (("equal batch", "equal memory"), 2, 2)


def test_without_dimensions_or_room_there_is_no_rule_of_memory():
    alone = list(pairings(workload(batches=(2,)), fake_system(dims=None), fake_system(dims=PARENT)))
    assert [pair.modes for pair in alone] == [("equal batch",)]
    alone = list(pairings(workload(batches=(1,)), fake_system(dims=PARENT), fake_system(dims=CHILD)))
    assert [pair.modes for pair in alone] == [("equal batch",)]  # the larger does not fit into what the smaller takes


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (load_workload("offline"), "--batch"),
        (workload(batches=(), rates=(2.0,)), "--batch"),
        (workload(trials=5), "--trials"),
    ],
)
def test_sweeps_arrivals_and_few_trials_are_refused(wrong, hint):
    with pytest.raises(NotComparable) as refused:
        list(pairings(wrong, fake_system(), fake_system()))
    assert hint in refused.value.hint


def facts(weights="real", capped=False):
    return SpeedFacts(workload="w", point="p", weights=weights, power_capped=capped, validity=Validity(valid=True))


def test_random_weights_at_the_power_limit_are_never_compared_with_real_ones():
    assert "power limit" in refusal(facts("random", capped=True), facts("real"))
    assert "power limit" in refusal(facts("real", capped=True), facts("random", capped=True))
    assert refusal(facts("random"), facts("real", capped=True)) is None
    assert refusal(facts("random", capped=True), facts("random", capped=True)) is None
    assert refusal(facts("real", capped=True), facts("real")) is None


def test_known_timings_give_the_known_ratio_in_both_rules(compare, tmp_path):
    ran = compare("--json", child={"prefill": 0.25, "step": 0.0625}, parent={"prefill": 0.5, "step": 0.125})
    assert ran.code == 0, ran.err
    equal, memory = ran.json()["pairs"]
    for metric in equal["record"]["speed"]["comparisons"]:
        assert metric["ratio"] == metric["lower"] == metric["upper"] == 2.0
        assert metric["p_value"] < 0.001
        assert (metric["n"], metric["against_n"], metric["seed"], metric["resamples"]) == (9, 9, 0, 9999)
        assert metric["valid"]
    assert {m["metric"] for m in equal["record"]["speed"]["comparisons"]} == {"output_rate", "ttft", "tpot", "e2e"}
    by_metric = {m["metric"]: m for m in memory["record"]["speed"]["comparisons"]}
    batch = memory["record"]["speed"]["batch"]
    assert batch > 2
    assert by_metric["output_rate"]["ratio"] == pytest.approx(2.0 * batch / 2)
    assert by_metric["output_rate"]["memory_budget"] == memory_bytes(PARENT, 2, 13)
    assert memory["against"]["speed"]["batch"] == 2
    assert by_metric["ttft"]["against_run_id"] == memory["against"]["run_id"]
    assert all(backend.closed for backend in compare.backends)


def test_both_sides_are_recorded_and_the_ratios_are_a_view(compare, minizoo, tmp_path):
    compare(child={"step": 0.0625})
    assert minizoo("db", "check", "--results", tmp_path / "results").code == 0
    with duckdb.connect(str(tmp_path / "results" / "minizoo.duckdb"), read_only=True) as connection:
        models = connection.execute("SELECT model, count(*) FROM records GROUP BY ALL ORDER BY ALL").fetchall()
        rows = connection.execute(
            "SELECT model, against, mode, valid FROM speed_ratios WHERE metric = 'output_rate' ORDER BY mode"
        ).fetchall()
    assert models == [("nano-teacher", 2), ("nano-width-pruned", 2)]
    assert rows == [
        ("nano-width-pruned", "nano-teacher", "equal batch", True),
        ("nano-width-pruned", "nano-teacher", "equal memory", True),
    ]


def test_trials_alternate_and_take_no_energy_and_no_peaks(compare):
    (pair, _) = compare("--json").json()["pairs"]
    assert all(side["speed"]["trials"] == 9 for side in (pair["record"], pair["against"]))
    for side in (pair["record"], pair["against"]):
        assert not [s for s in side["speed"]["statistics"] if s["metric"] == "joules_per_token"]
        assert side["speed"]["memory"] == {"allocator": None, "device": None, "resident": None}


def test_the_table_states_both_rules_and_how_it_was_compared(compare):
    ran = compare(child={"step": 0.0625})
    for word in ("equal batch", "equal memory", "times as fast (95 % interval)", "faster", "Mann–Whitney", "seed 0",
                 "nano-width-pruned against nano-teacher"):  # fmt: skip
        assert word in ran.out, word


def test_what_does_not_fit_is_recorded_on_both_sides_and_the_rest_goes_on(compare):
    ran = compare("--json", child={"room_limit": 4})
    assert ran.code == 4
    equal, memory = ran.json()["pairs"]
    assert (equal["record"]["status"], memory["record"]["status"], memory["against"]["status"]) == (
        "ok",
        "failed",
        "failed",
    )
    assert "out of memory" in memory["refused"]


def test_a_backend_that_breaks_is_recorded_and_told_in_one_paragraph(compare, tmp_path):
    ran = compare(parent={"breaks": lambda call: call == 1})
    assert ran.code == 4
    assert (
        ran.err.strip()
        .splitlines()[-1]
        .startswith("minizoo: Comparing nano-width-pruned with nano-teacher at 8x5.b2 broke")
    )
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT status, code FROM read_json('{tmp_path}/results/runs/*/*/*/record.json')"
        ).fetchall()
    assert found == [("infra_failed", "backend-broke")] * 2


def test_an_invalid_side_makes_the_comparison_invalid(compare):
    ran = compare("--json", child={"tokens": 3})
    assert ran.code == 3
    comparison = ran.json()["pairs"][0]["record"]["speed"]["comparisons"][0]
    assert not comparison["valid"]
    assert "output length not reached" in comparison["notes"][0]


def test_real_against_random_weights_is_measured_on_the_real_engine(minizoo, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("name: tiny\nshapes: [{input: 96, output: 4}]\nbatches: [1]\nrule: {trials: 6, seconds: 0}\n")
    ran = minizoo(
        "bench", "--model", "nano-width-pruned", "--against", "nano-teacher", "--against-weights", "random", "--workload",
        path, "--results", tmp_path / "results", "--json", "--even-if-busy",
    )  # fmt: skip
    assert ran.code in (0, 3), ran.err
    pair = ran.json()["pairs"][0]
    assert (pair["record"]["speed"]["weights"], pair["against"]["speed"]["weights"]) == ("real", "random")
    assert all("random weights" in comparison["notes"] for comparison in pair["record"]["speed"]["comparisons"])


def test_published_ratios_stand_beside_with_their_unequal_batches():
    models = load_registry().models
    told = published_beside(models["llama-3.1-minitron-4b-width"], models["llama-3.1-8b"])
    assert told[0].startswith("1.8× throughput")
    assert "batch 64 against 32" in told[0]
    assert "batch not told" in told[1]
    assert published_beside(models["nano-width-pruned"], models["nano-teacher"]) == ()
    assert published_beside(None, models["nano-teacher"]) == ()


def test_the_record_keeps_the_ratio_and_what_was_paired_and_not_its_interval(compare, tmp_path):
    compare(child={"step": 0.0625})
    with duckdb.connect() as connection:
        kept = connection.execute(
            "SELECT DISTINCT c.ratio > 1, c.n, c.against_n, c.seed, c.lower, c.upper, c.p_value FROM (SELECT "
            f"unnest(speed.comparisons) AS c FROM read_json('{tmp_path}/results/runs/*/*/*/record.json') "
            "WHERE subject.id = 'nano-width-pruned') WHERE c.metric = 'output_rate'"
        ).fetchall()
    assert kept == [(True, 9, 9, 0, None, None, None)]


WRONG = {
    "--against-weights random": "conflicting-options",
    "--memory 4": "conflicting-options",
    "--against nano-teacher --memory -1": "invalid-option",
    "--against nano-teacher --memory nan": "invalid-option",
    "--against nano-teacher --dry-run": "conflicting-options",
    "--against nano-teachr": "unknown-model",
    "--against nano-teacher --rate 2": "not-comparable",
    "--against nano-teacher --trials 3": "not-comparable",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_answered_in_a_line(minizoo, tmp_path, words):
    ran = minizoo("bench", "nano-width-pruned", *words.split(), "--results", tmp_path, "--json")
    assert ran.code == 2, ran.out
    assert ran.json()["code"] == WRONG[words]
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.rglob("record.json"))
