"""Re-runs of identical code: how they vary, what of them is counted, what the gate makes of the file."""

import itertools

import numpy as np
import pytest
from scipy.stats import binomtest
from support.gated import policy, side, task
from support.noisy import noise, task_noise

from harness.gates.noise.file import load_noise, save_noise
from harness.gates.noise.measured import noise_of, upper_end
from harness.gates.noise.variations import BUDGETS, variations
from zoo.errors import FileMissing, InvalidFile, TaskFailed


def test_the_first_re_runs_differ_in_everything_and_twenty_are_all_different():
    few = variations(4, ("float32", "bfloat16"), (1, 2))
    assert [len({getattr(one, name) for one in few}) for name in ("dtype", "budget", "threads")] == [2, 4, 2]
    assert len(set(variations(20, ("float32", "bfloat16"), (1, 2)))) == 20 == 2 * 2 * len(BUDGETS)


def test_a_model_is_opened_once_for_each_dtype_and_budget():
    ways = [(one.dtype, one.budget) for one in variations(100, ("float32", "bfloat16"), (1, 2))]
    assert sum(a != b for a, b in itertools.pairwise(ways)) + 1 == 2 * len(BUDGETS)


def test_a_few_of_the_last_dtype_are_in_the_plain_form():
    plain = [one for one in variations(10, ("float32", "bfloat16"), (1, 2), plain=2) if one.plain]
    assert [one.dtype for one in plain] == ["bfloat16"] * 2
    assert "plain" in str(plain[0])


def test_a_task_is_counted_over_the_re_runs_that_ran_it():
    first = side("m", task("m", [1.0] * 4), task("m", [1.0] * 4, name="gsm8k"))
    reruns = [
        side("m", task("m", [1.0] * 4)),
        side("m", task("m", [1.0] * 4), task("m", [0.0, 1.0, 1.0, 1.0], name="gsm8k")),
    ]
    counted = {found.task: (found.runs, found.lost) for found in noise_of(first, reruns)}
    assert counted == {
        "winogrande": (2, 0),
        "gsm8k": (1, 1),
    }


def test_flips_are_counted_both_ways_and_the_worst_run_is_told():
    first = side("m", task("m", [1.0] * 6 + [0.0] * 4))
    reruns = [side("m", task("m", [0.0, *[1.0] * 5, *[0.0] * 3, 1.0])), side("m", task("m", [1.0] * 6 + [0.0] * 4))]
    (found,) = noise_of(first, reruns)
    assert (found.documents, found.runs, found.lost, found.gained) == (10, 2, 1, 1)
    assert (found.discordance, found.highest) == pytest.approx((0.1, 0.2))
    assert found.upper == pytest.approx(upper_end(2, 10))


def test_gold_log_probabilities_have_their_bias_and_spread():
    dice = np.random.default_rng(3)
    before, moved = dice.normal(-3, 1, 50), [dice.normal(-0.01, 0.1, 50) for _ in range(3)]
    first = side("m", task("m", [1.0] * 50, columns={"gold_logprob": list(before)}))
    (found,) = noise_of(
        first, [side("m", task("m", [1.0] * 50, columns={"gold_logprob": list(before + by)})) for by in moved]
    )
    means = [by.mean() for by in moved]
    assert (found.gold.mean, found.gold.lowest_mean) == pytest.approx((np.mean(means), min(means)))
    assert found.gold.sd == pytest.approx(np.sqrt(np.mean([by.var(ddof=1) for by in moved])))
    assert found.gold.largest == pytest.approx(max(np.abs(by).max() for by in moved))


def test_a_re_run_without_a_number_calibrates_nothing():
    first = side("m", task("m", [1.0, 0.0]))
    failed = side("m", task("m", None, status="failed", reason="no memory", code="device-memory", scores=()))
    with pytest.raises(TaskFailed, match="no memory"):
        noise_of(first, [failed])


@pytest.mark.parametrize(("changed", "n"), [(0, 50), (3, 50), (50, 50)])
def test_the_upper_end_is_that_of_the_exact_interval(changed, n):
    exact = binomtest(changed, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert upper_end(changed, n) == pytest.approx(exact)


def test_a_file_of_noise_comes_back_as_it_was_written(tmp_path):
    made = noise(task_noise("hellaswag", 0.02, fall=0.004), task_noise("gsm8k", 0.0))
    save_noise(tmp_path / "noise.json", made)
    assert load_noise(tmp_path / "noise.json") == made
    assert made.flips == {"hellaswag": 0.02, "gsm8k": 0.0}


def test_a_file_that_is_none_or_not_there_is_named(tmp_path):
    with pytest.raises(FileMissing, match=r"noise\.json"):
        load_noise(tmp_path / "noise.json")
    (tmp_path / "noise.json").write_text("{}")
    with pytest.raises(InvalidFile, match=r"noise\.json"):
        load_noise(tmp_path / "noise.json")


def test_a_gold_margin_is_widened_to_twice_the_worst_fall_and_it_is_told():
    asked = policy(
        {"task": "mmlu_*", "ask": ("detect",), "gold_margin": 0.005},
        {"task": "gsm8k", "ask": ("detect",), "gold_margin": 0.005},
        {"task": "winogrande", "ask": ("detect",)},
    )  # fmt: skip
    seen = noise(
        *(task_noise(name, 0.01, fall) for name, fall in (("mmlu_law", 0.002), ("mmlu_art", 0.006), ("gsm8k", 0.001)))
    )
    widened, told = seen.widened(asked)
    assert [entry.gold_margin for entry in widened.accuracy] == [pytest.approx(0.012), 0.005, None]
    assert len(told) == 1
    assert "0.005 to 0.012 nats" in told[0]
    assert "mmlu_art" in told[0]
