"""A model against another: at equal batch and in equal memory, measured in turn, compared only where that is fair."""

import duckdb
import pytest
from support.speed_fakes import FakeBackend, FakeProbe, Hand, fake_bench, workload

import harness.speed.opening as opening
from harness.records.speed_record import SpeedFacts, Validity
from harness.speed.comparison import pairings, published_beside, refusal
from harness.speed.workloads.workload import load_workload
from zoo.arch.roofline import memory_bytes
from zoo.errors import InputError
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
        monkeypatch.setattr(opening, "open_backend", lambda *_: waiting.pop(0))
        monkeypatch.setattr(opening, "Clock", lambda: hand.clock)
        monkeypatch.setattr(opening, "open_probe", lambda device: probe or FakeProbe(hand))
        call.backends = made
        return minizoo(
            "bench", "--model", "nano-width-pruned", "--against", "nano-teacher", "--workload", path, "--results",
            tmp_path / "results", *words,
        )  # fmt: skip

    return call


def test_both_rules_are_stated_with_their_batches():
    ours, theirs = fake_bench(dims=CHILD), fake_bench(dims=PARENT)
    equal, memory = pairings(workload((100, 28), batches=(2,)), ours, theirs)
    assert (equal.modes, equal.point.batch, equal.against.batch, equal.budget) == (("equal batch",), 2, 2, None)
    assert (memory.modes, memory.against.batch) == (("equal memory",), 2)
    assert memory.budget == memory_bytes(PARENT, 2, 128)
    assert (
        memory_bytes(CHILD, memory.point.batch, 128) <= memory.budget < memory_bytes(CHILD, memory.point.batch + 1, 128)
    )


def test_a_stated_memory_is_filled_by_both():
    ours, theirs = fake_bench(dims=CHILD), fake_bench(dims=PARENT)
    _, memory = pairings(workload((100, 28), batches=(1,)), ours, theirs, memory=5_000_000)
    for dims, batch in ((CHILD, memory.point.batch), (PARENT, memory.against.batch)):
        assert memory_bytes(dims, batch, 128) <= 5_000_000 < memory_bytes(dims, batch + 1, 128)


def test_one_pair_serves_both_rules_where_they_come_to_the_same():
    (only,) = pairings(workload((100, 28), batches=(2,)), fake_bench(dims=CHILD), fake_bench(dims=CHILD))
    assert (only.modes, only.point.batch, only.against.batch) == (("equal batch", "equal memory"), 2, 2)


def test_without_dimensions_or_room_there_is_no_rule_of_memory():
    alone = list(pairings(workload(batches=(2,)), fake_bench(dims=None), fake_bench(dims=PARENT)))
    assert [pair.modes for pair in alone] == [("equal batch",)]
    alone = list(pairings(workload(batches=(1,)), fake_bench(dims=PARENT), fake_bench(dims=CHILD)))
    assert [pair.modes for pair in alone] == [("equal batch",)]  # the larger does not fit into what the smaller takes


@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        (load_workload("offline"), "--batch"),
        (workload(batches=(), rates=(2.0,)), "--batch"),
        (workload(trials=5), "--trials"),
    ],
)
def test_sweeps_arrivals_and_few_trials_are_refused(wrong, hint):
    with pytest.raises(InputError, match=hint):
        list(pairings(wrong, fake_bench(), fake_bench()))


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
        ran.err.strip().splitlines()[-1].startswith("minizoo: Comparing nano-width-pruned with nano-teacher broke off")
    )
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT status FROM read_json('{tmp_path}/results/runs/*/*/*/record.json')"
        ).fetchall()
    assert found == [("infra_failed",)] * 2


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
        path, "--results", tmp_path / "results", "--json",
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


WRONG = {
    "--against-weights random": "go with --against",
    "--memory 4": "go with --against",
    "--against nano-teacher --memory -1": "above 0",
    "--against nano-teacher --memory nan": "above 0",
    "--against nano-teacher --dry-run": "leave out --against",
    "--against nano-teachr": "Did you mean",
    "--against nano-teacher --rate 2": "--batch",
    "--against nano-teacher --trials 3": "--trials 6",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_answered_in_a_line(minizoo, tmp_path, words):
    ran = minizoo("bench", "--model", "nano-width-pruned", *words.split(), "--results", tmp_path)
    assert ran.code == 2, ran.out
    assert WRONG[words] in ran.err
    assert "Traceback" not in ran.err
    assert not list(tmp_path.rglob("record.json"))
