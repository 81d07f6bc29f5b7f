"""Tables of --kl and --axes: what a reader needs beside the numbers, in a terminal's and in Markdown's form."""

import math

import pytest

from harness.divergence.axis_loss import WHOLE, AxisLoss, AxisLosses, TaskLoss
from harness.divergence.figures import Diverged, Divergence, Mean, TaskDivergence
from minizoo.display.compare.divergence import axes_blocks, divergence_blocks, show_axes, show_divergence
from minizoo.display.compare.render import markdown
from minizoo.output import Output


def mean(value, half=0.5):
    return Mean(value, half / 2, value - half, value + half, 40)


@pytest.fixture
def divergence():
    a, b = (Diverged(name, "hf", "packed", "cpu", "float32", ppl) for name, ppl in (("parent", 2.0), ("child", 3.0)))
    share = {"min": 0.0, "p50": 0.1, "p99.9": None, "max": 7.5}
    change = {"min": -1.0, "p1": -0.9, "p50": 0.0, "max": 1.0}
    task = TaskDivergence("words", 1234, mean(2.5), mean(0.75, 0.1))
    return Divergence(
        a, b, "nano", 1234, 1300, 768, mean(2.5), share, mean(3.5), share, mean(0.75, 0.1), mean(-0.2), mean(0.6), change,
        mean(-0.4), (task,), ("3 requests of words are cut on the left.",),
    )  # fmt: skip


def loss(axis, value, **others):
    task = TaskLoss("words", 30, 1.0, 0.9, mean(value)), TaskLoss("cloze", 10, 1.0, 0.8, mean(value))
    known = {"n": 40, "gold": -9.0, "accuracy": 0.875, "difference": mean(value), "p_value": 1e-9, "p_holm": 2e-9}
    return AxisLoss(axis, "8 → 4", 600, 400, **{**known, "tasks": task, **others})


@pytest.fixture
def losses():
    rows = loss("hidden", -3.0), loss("ffn", -1.0), loss(WHOLE, -5.0)
    return AxisLosses(
        "parent", "d" * 64, "nano", 1000, -2.0, 1.0, rows, mean(-1.0), ("No right answer is known of sums.",)
    )


def test_divergence_names_models_positions_and_units(divergence, capsys):
    show_divergence(Output(), divergence)
    out = capsys.readouterr().out
    assert "How far child (B) is from parent (A) on nano" in out
    assert "B: child (hf, cpu, float32, packed), perplexity 3.0000 on the same tokens." in out
    assert "1,234 positions, 1,300 next tokens, 768 tokens of vocabulary." in out
    assert "KL says how much changed, not whether for the worse" in out
    assert "3 requests of words are cut on the left." in out


def test_percentiles_stand_in_order_and_an_unknown_one_is_no_number(divergence):
    percentiles = list(divergence_blocks(divergence))[1]
    assert [column.heading for column in percentiles.columns] == ["figure", "min", "p1", "p50", "p99.9", "max"]
    assert list(percentiles.rows[0]) == ["KL(A‖B)", "0.0000", "–", "0.1000", "–", "7.5000"]
    assert list(percentiles.rows[2]) == ["Δp", "-1.0000", "-0.9000", "0.0000", "–", "1.0000"]


def test_axes_say_what_each_costs_and_what_they_cost_together(losses, capsys):
    show_axes(Output(), losses)
    out = capsys.readouterr().out
    assert "parent itself: 1,000 parameters, log p -2.0000 an item, accuracy 1.0000." in out
    assert "The axes add up to -4.0000 an item; the whole plan differs from that by -1.0000" in out
    assert "the cuts make each other worse" in out
    assert "No right answer is known of sums." in out
    first, by_task = axes_blocks(losses)
    assert first.rows[0][0] == "hidden"
    assert "7,500" in first.rows[0]  # 3 nats / 0.0004 million
    assert [column.heading for column in by_task.columns] == [
        "axis", "words: Δ log p", "accuracy", "cloze: Δ log p", "accuracy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "half", "words"),
    [(0.5, 0.1, "they share a part of it"), (-0.5, 0.1, "make each other worse"), (-0.5, 2, "not resolved")],
)
def test_an_interaction_is_named_by_its_sign_where_it_is_resolved(losses, value, half, words):
    from dataclasses import replace

    first = next(iter(axes_blocks(replace(losses, interaction=mean(value, half)))))
    assert any(words in line for line in first.lines)


def test_a_cut_without_numbers_is_told_and_nothing_is_added_up(losses):
    from dataclasses import replace

    refused = AxisLoss("hidden", "8 → 3", 600, 400, refused="hidden=3 is no multiple of 2 heads.")
    found = replace(losses, rows=(refused, *losses.rows[1:]), interaction=None)
    first = next(iter(axes_blocks(found)))
    assert list(first.rows[0][3:]) == ["–"] * 6
    assert "hidden has no numbers: hidden=3 is no multiple of 2 heads." in first.lines
    assert not any("add up" in line for line in first.lines)


def test_both_are_markdown_too(divergence, losses):
    text = markdown([*divergence_blocks(divergence), *axes_blocks(losses)])
    assert "### How far child (B) is from parent (A) on nano" in text
    assert "| whole plan |" in text
    assert not math.isnan(divergence.kl.value)
