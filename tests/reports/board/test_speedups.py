"""Speed-ups by rule: the newest valid ratio a pairing, the least of several points, and an equal latency limit for both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.boards import facts

from reports.board.measured import RowKey
from reports.board.speedups import measured_speedups, published_speedups, round_above

L4 = {"backend": "hf", "device": "cuda:0", "gpu": "L4", "processor": "EPYC", "dtype": "bfloat16", "compute_dtype": None}
SHOWN = {"parent": ("parent",), "child": ("child",)}
FACTS = {"parent": facts("parent"), "child": facts("child", parent="parent")}
HERE = RowKey("child", "hf", "bfloat16", "L4")


class Rows:
    """A reader that has these ratios and points."""

    def __init__(self, ratios=(), points=()):
        self.ratios, self.points = ratios, points

    def rows(self, sql, parameters=()):
        return list(self.ratios if "speed_ratios" in sql else self.points)


def ratio(value=1.8, **changes):
    return {
        **L4, "run_id": "r", "model": "child", "against": "parent", "mode": "equal batch", "batch": 8, "against_batch": 8,
        "workload": "chat", "input_tokens": 512, "output_tokens": 128, "weights": "real", "ratio": value,
        "lower": value - 0.1, "upper": value + 0.1, "source": "measured", "contributed_by": None, **changes,
    }  # fmt: skip


def point(model, batch, rate, seconds, **changes):
    """Tokens/s and seconds a token of a model at a batch: two rows."""
    known = {
        **L4, "run_id": f"{model} {batch}", "task": f"chat.b{batch}", "model": model, "workload": "chat", "input_tokens": 512,
        "output_tokens": 128, "batch": batch, "weights": "real", "tpot_limit": None, **changes,
    }  # fmt: skip
    return [
        {**known, "metric": metric, "value": value, "lower": 0.9 * value, "upper": 1.1 * value}
        for metric, value in (("output_rate", rate), ("tpot", seconds))
    ]


def found(ratios=(), points=()):
    return [(each.row, each.speedup) for each in measured_speedups(Rows(ratios, points), FACTS, SHOWN)]


def at_latency(*points):
    return [speedup for _, speedup in found(points=[row for rows in points for row in rows])]


def test_a_ratio_belongs_to_the_row_of_its_model_and_says_what_was_held():
    ((row, speedup),) = found([ratio()])
    assert row == HERE
    assert (speedup.rule, speedup.ratio, speedup.lower, speedup.against, speedup.hardware, speedup.run_id) == (
        "equal batch", 1.8, pytest.approx(1.7), "parent", "L4", "r",
    )  # fmt: skip
    assert speedup.detail == "hf, batch 8, chat 512 → 128 tokens"


@given(st.permutations([ratio(1.2, batch=1, against_batch=1), ratio(1.9), ratio(1.5, batch=4, against_batch=4)]))
def test_of_several_points_the_least_is_shown_with_the_range_in_whatever_order(ratios):
    ((_, speedup),) = found(ratios)
    assert speedup.ratio == 1.2
    assert speedup.detail.endswith("batch 1, chat 512 → 128 tokens; the least of 3 points, up to 1.90×")


def test_rules_other_models_and_sources_are_kept_apart():
    ratios = [ratio(), ratio(mode="equal memory", batch=16), ratio(against="other"), ratio(source="contributed")]
    assert [(s.rule, s.against, s.source) for _, s in found(ratios)] == [
        ("equal batch", "parent", "measured"), ("equal memory", "parent", "measured"),
        ("equal batch", "other", "measured"), ("equal batch", "parent", "contributed"),
    ]  # fmt: skip


def test_both_keep_the_round_limit_above_the_parent_s_time_at_its_best():
    """The parent is best at batch 8 and 18 ms, so the limit is 20 ms; the child keeps it at batch 8 too, at 64 it does not."""
    (speedup,) = at_latency(
        point("parent", 1, 60.0, 0.016), point("parent", 8, 440.0, 0.018), point("parent", 64, 400.0, 0.16),
        point("child", 1, 100.0, 0.01), point("child", 8, 700.0, 0.011), point("child", 64, 2000.0, 0.032),
    )  # fmt: skip
    assert (speedup.rule, speedup.ratio, speedup.run_id) == ("equal latency", pytest.approx(700 / 440), "child 8")
    assert "at most 20 ms a token, batch 8" in speedup.detail
    assert speedup.lower == pytest.approx(0.9 * 700 / (1.1 * 440))
    assert speedup.upper == pytest.approx(1.1 * 700 / (0.9 * 440))


def test_a_limit_that_the_workload_states_is_the_limit():
    (speedup,) = at_latency(
        point("parent", 1, 60.0, 0.016, tpot_limit=0.017), point("parent", 8, 440.0, 0.018, tpot_limit=0.017),
        point("child", 1, 100.0, 0.01, tpot_limit=0.017), point("child", 8, 700.0, 0.011, tpot_limit=0.017),
    )  # fmt: skip
    assert speedup.ratio == pytest.approx(700 / 60)
    assert "at most 17 ms a token, batch 8 against 1" in speedup.detail


def test_a_batch_that_one_of_the_two_was_not_measured_at_does_not_count():
    """Else the child would be thirty times as fast only because nobody measured the parent at a larger batch."""
    common = (point("parent", 1, 60.0, 0.016), point("child", 1, 100.0, 0.01), point("child", 64, 2000.0, 0.012))
    assert at_latency(*common) == []
    (speedup,) = at_latency(*common, point("parent", 8, 100.0, 0.017), point("child", 8, 150.0, 0.011))
    assert speedup.ratio == pytest.approx(1.5)


def test_other_hardware_or_weights_are_no_pair():
    parent = [point("parent", batch, 60.0 * batch, 0.016) for batch in (1, 8)]
    for changes in ({"gpu": "H100"}, {"weights": "random"}, {"workload": "rag"}, {"dtype": "float16"}):
        assert at_latency(*parent, *(point("child", b, 90.0 * b, 0.01, **changes) for b in (1, 8))) == []


def test_nothing_within_the_limit_gives_nothing():
    slow = [point("child", batch, 10.0, 0.5) for batch in (1, 8)]
    assert at_latency(*(point("parent", batch, 60.0 * batch, 0.016) for batch in (1, 8)), *slow) == []


def test_published_speed_ups_say_whether_the_batch_was_held(registry):
    free, held = published_speedups(registry.models["child"], registry)
    assert (free.rule, free.ratio, free.source, free.run_id, free.hardware) == (
        "published",
        1.8,
        "published",
        None,
        "H100 80 GB",
    )
    assert "batch 64 against 32" in free.detail
    assert (held.rule, held.ratio) == ("equal batch", 1.5)


def test_a_model_s_speed_ups_stand_on_its_rows(results):
    (row,) = [row for row in results.board().rows if row.facts.id == "child"]
    assert [speedup.ratio for speedup in row.speedups] == [1.8, 1.5]


@given(st.floats(1e-6, 1e3))
def test_a_round_limit_is_the_next_of_its_series(seconds):
    limit = round_above(seconds)
    assert seconds <= limit * (1 + 1e-9)
    assert limit < 2.5 * seconds * (1 + 1e-9)
    assert float(f"{limit:.6e}"[0]) in (1, 2, 5)
