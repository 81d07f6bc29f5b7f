"""Flips with both answers, levels of a factor, the right answers' log-probability, Holm, retained scores."""

import json

import numpy as np
import pytest
from scipy import stats
from support.compared import made

from harness.compare.comparison import Asked
from harness.compare.factors import split
from harness.compare.flips import Answer, flips_of
from harness.stats.paired.holm import holm

RNG = np.random.default_rng(11)
OLD = [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]
NEW = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
GOLD = [0, 1, 0, 1, 0, 1]


def answers(values, golds):
    """Log-probabilities of two endings by which those values are right."""
    places = [gold if value else 1 - gold for value, gold in zip(values, golds, strict=True)]
    return [
        json.dumps([[-1.0, False], [-3.0, False]] if place == 0 else [[-3.0, False], [-1.0, False]]) for place in places
    ]


def columns(values, **more):
    filtered = answers(values, GOLD)
    golds = [json.loads(text)[gold][0] for text, gold in zip(filtered, GOLD, strict=True)]
    return {
        "columns": {"filtered": filtered, "gold": GOLD, "gold_logprob": golds, "length": [9, 9, 20, 30, 40, 50]} | more
    }


def test_flips_are_listed_lost_ones_first_with_both_answers(row):
    found = flips_of(row(OLD, NEW, columns(OLD), columns(NEW)), 10)
    assert [(flip.doc_id, flip.lost) for flip in found] == [(1, True), (3, True), (2, False)]
    first = found[0]
    assert (first.position, first.target) == (1, "1")
    assert (first.a_answer, first.b_answer) == (Answer(1, -1.0), Answer(0, -1.0))
    assert (first.a_gold, first.b_gold) == (-1.0, -3.0)
    assert len(flips_of(row(OLD, NEW, columns(OLD), columns(NEW)), 1)) == 1


def test_an_answer_that_was_not_kept_or_not_chosen_by_its_log_probability_is_not_named(row):
    gone = columns(OLD, filtered=None, target=None)
    mixed = columns(NEW, filtered=answers(OLD, GOLD))
    first = flips_of(row(OLD, NEW, gone, mixed), 1)[0]
    assert not first.a_answer.kept
    assert first.b_answer == Answer(text=answers(OLD, GOLD)[1])
    assert first.target == "1"


def test_generated_texts_are_shown_as_the_filter_took_them(row):
    texts = [{"columns": {"filtered": json.dumps([word])}} for word in ("38", "\x1b[31m39")]
    assert [flips_of(row(OLD, NEW, *texts), 1)[0].b_answer, flips_of(row(OLD, NEW, *texts), 1)[0].a_answer] == [
        Answer(text="\x1b[31m39"),
        Answer(text="38"),
    ]


def test_the_right_answers_log_probability_is_a_paired_t(row):
    a, b = RNG.normal(-2, 1, (2, 40))
    sides = [{"columns": {"gold_logprob": list(each)}} for each in (a, b)]
    gold, theirs = row([1.0] * 40, [1.0] * 40, *sides).gold, stats.ttest_rel(b, a)
    ends = theirs.confidence_interval()
    assert (gold.n, gold.difference) == (40, pytest.approx(b.mean() - a.mean()))
    assert (gold.p_value, gold.lower, gold.upper) == pytest.approx((theirs.pvalue, ends.low, ends.high))


def test_clusters_widen_it(row):
    a, b = RNG.normal(-2, 1, (2, 40))
    alone = [{"columns": {"gold_logprob": [x for x in each for _ in "ab"]}} for each in (a, b)]
    twice = [{"columns": side["columns"] | {"cluster": [str(i // 2) for i in range(80)]}} for side in alone]
    values = [1.0] * 80
    assert row(values, values, *twice).gold.units == 40
    assert row(values, values, *twice).gold.stderr == pytest.approx(
        row(values, values, *alone).gold.stderr * 2**0.5, rel=0.01
    )


def test_p_values_are_adjusted_over_the_rows(compared):
    pairs = [(list(map(float, RNG.random(60) < 0.8)), list(map(float, RNG.random(60) < p))) for p in (0.8, 0.6, 0.4)]
    sides = [[made(name, pair[i], f"t{at}") for at, pair in enumerate(pairs)] for i, name in enumerate(("old", "new"))]
    rows = compared(*sides).rows
    assert [row.p_holm for row in rows] == pytest.approx(holm([row.tested.p_value for row in rows]))
    assert [row.key.task for row in compared(*sides, Asked(tasks=("t1", "t2"))).rows] == ["t1", "t2"]


def test_what_is_kept_of_a_score_takes_chance_off(row):
    kept = row([1.0] * 30 + [0.0] * 10, [1.0] * 20 + [0.0] * 20).retained
    assert (kept.value, kept.raw) == pytest.approx(((0.5 - 0.25) / (0.75 - 0.25), 0.5 / 0.75))
    assert kept.lower < 0.5 < kept.upper
    unknown = row([1.0] * 3 + [0.0], [1.0, 0.0, 0.0, 0.0], score={"chance": None}).retained
    assert (unknown.value, unknown.raw) == (None, pytest.approx(1 / 3))


def test_by_position_and_by_length_with_the_edges(row):
    one = row(OLD, NEW, columns(OLD), columns(NEW))
    places = split([one], "position")
    assert [(level.name, level.tested.n) for level in places.levels] == [("place 0", 3), ("place 1", 3)]
    assert [level.tested.lost for level in places.levels] == [0, 2]
    lengths = split([one], "length")
    assert [(level.name, level.tested.n) for level in lengths.levels] == [
        ("9 characters", 2), ("20 characters", 1), ("30 characters", 1), ("40 – 50 characters", 2),
    ]  # fmt: skip
    adjusted = holm([level.tested.p_value for level in lengths.levels])
    assert [level.p_holm for level in lengths.levels] == adjusted


def test_what_cannot_be_split_says_why(row):
    one = row(OLD, NEW)
    assert split([one], "position").refused[0].startswith("winogrande: the places of its right answers are not known")
    assert split([one], "length").refused[0].startswith("winogrande: the lengths of its prompts are not known")
    assert [level.name for level in split([one], "subject").levels] == ["winogrande"]
