"""What a row of a recovery says, and when it says why there is no number instead."""

import math

import numpy as np
import pytest
from support.compared import made, score_of
from support.recovering import DISTILLED, PARENT, PRUNED, golds, rights

from harness.records.record import Counts
from harness.stats.sufficient import RatioStatistics

RIGHTS = rights()
THREE = (RIGHTS[PARENT], RIGHTS[PRUNED], RIGHTS[DISTILLED])


def test_a_row_has_the_three_scores_above_chance_and_the_share_won_back(row):
    found = row(*THREE)
    parent, pruned, distilled = map(np.mean, THREE)
    assert [each.value for each in found.standings()] == pytest.approx([parent, pruned, distilled])
    assert [each.above for each in found.standings()] == pytest.approx(
        [each - 0.25 for each in (parent, pruned, distilled)]
    )
    assert found.status == "recovered"
    assert found.recovered.value == pytest.approx((distilled - pruned) / (parent - pruned))
    assert 0 < found.recovered.lower < found.recovered.value < found.recovered.upper < 1
    assert (found.loss.value, found.gain.value) == pytest.approx((parent - pruned, distilled - pruned))
    assert found.loss.lower < found.loss.value < found.loss.upper
    assert (found.n, found.units) == (400, 400)


def test_documents_that_share_a_source_widen_the_interval(row):
    alone = row(*THREE)
    blocks = [np.repeat(np.array(values)[:80], 5).tolist() for values in THREE]
    together = row(*blocks, columns={"cluster": [f"c{at // 5}" for at in range(400)]})
    assert together.units == 80
    width = together.recovered.upper - together.recovered.lower
    assert width > 1.5 * (alone.recovered.upper - alone.recovered.lower)


def test_a_parent_at_chance_is_said_and_has_no_recovery(row):
    guesses = [float(at % 4 == 0) for at in range(400)]
    found = row(guesses, [0.0] * 400, guesses)
    assert (found.status, found.recovered) == ("parent at chance", None)
    assert "not told from chance" in found.why
    assert found.parent.above == pytest.approx(0.0)


def test_where_nothing_is_lost_there_is_no_share(row):
    same = row(THREE[0], THREE[0], THREE[2])
    assert (same.status, same.recovered) == ("nothing lost", None)
    gained = row(THREE[1], THREE[0], THREE[0])
    assert (gained.status, gained.why) == ("nothing lost", "the pruned model is better")


def test_a_loss_of_few_documents_has_no_share_with_a_number(row):
    """Six of six are worse, which permutation sees; but one lost so much more that by Fieller any share may have come back."""
    found = row([1.0, *[0.1] * 5], [0.0] * 6, [0.5, *[0.1] * 5], score={"chance": None})
    assert (found.status, found.recovered) == ("not resolved", None)
    assert found.loss.p_value < 0.05


def test_the_right_answers_log_probability_is_won_back_in_nats(row):
    own = tuple({"columns": {"gold_logprob": golds(values)}} for values in THREE)
    gold = row(*THREE, own=own).gold
    means = [np.mean(golds(values)) for values in THREE]
    assert (gold.parent, gold.pruned, gold.distilled) == pytest.approx(tuple(means))
    assert gold.recovered.value == pytest.approx((means[2] - means[1]) / (means[0] - means[1]))
    assert row(*THREE).gold is None


def test_a_perplexity_is_won_back_in_nats_a_word(row):
    """As the ratio of sums over words, not of perplexities."""
    words = [float(40 + 13 * (at % 9)) for at in range(60)]
    each = [
        [-(level + 0.1 * math.sin(at * step)) for at in range(60)] for level, step in ((3.4, 1), (4.4, 2), (3.7, 3))
    ]
    whole = [sum(v * w for v, w in zip(values, words, strict=True)) / sum(words) for values in each]

    def side(at):
        loss = [v * w for v, w in zip(each[at], words, strict=True)]
        told = score_of(
            loss, "word_perplexity", math.exp(-whole[at]), chance=None, higher_is_better=False,
            statistics=RatioStatistics(weight=sum(words), squares=1.0),
        )  # fmt: skip
        return {"columns": {"weight": words}, "scores": (told,)}

    values = [[v * w for v, w in zip(each[at], words, strict=True)] for at in range(3)]
    found = row(*values, own=tuple(map(side, range(3))), metric="word_perplexity", task="wikitext")
    assert [one.value for one in found.standings()] == pytest.approx([math.exp(-mean) for mean in whole])
    assert [one.nats for one in found.standings()] == pytest.approx([-mean for mean in whole])
    assert [one.above for one in found.standings()] == [None] * 3
    assert found.recovered.value == pytest.approx((whole[2] - whole[1]) / (whole[0] - whole[1]))
    assert found.loss.value == pytest.approx(whole[0] - whole[1])


def test_an_error_is_won_back_as_a_score_is(row):
    """Of a metric of which less is better, loss and gain turn round, and the share does not."""
    errors = [[1 - value for value in values] for values in THREE]
    found = row(*errors, score={"higher_is_better": False, "chance": 0.75})
    straight = row(*THREE)
    assert found.recovered.value == pytest.approx(straight.recovered.value)
    assert found.loss.value == pytest.approx(straight.loss.value)
    assert [one.above for one in found.standings()] == pytest.approx([one.above for one in straight.standings()])


def test_other_requests_are_refused_with_who_was_asked_otherwise(row):
    other = {"columns": {"request_hash": [f"x{at}" for at in range(400)]}}
    found = row(*THREE, own=({}, {}, other))
    assert (found.status, found.recovered, found.parent) == ("refused", None, None)
    assert found.why.startswith("A is whole, B is restored: prompts differ")


def test_only_documents_that_all_three_have_count(rows):
    def some(values, task_rows):
        columns = {"doc_hash": [f"d{at}" for at in task_rows], "request_hash": [f"r{at}" for at in task_rows]}
        score = {"total": 400}
        return [made("m", [values[at] for at in task_rows], columns=columns, limit=300, score=score)]

    (found,) = rows(some(THREE[0], range(300)), some(THREE[1], range(100, 400)), some(THREE[2], range(50, 350)))
    assert found.n == 200
    common = [np.mean(values[100:300]) for values in THREE]
    assert [each.value for each in found.standings()] == pytest.approx(common)
    assert "200 documents that all three have" in found.notes


def test_each_metric_has_a_row_and_one_stands_for_the_task(rows):
    def two(values):
        suite = {"tasks": [{"task": "winogrande", "metric": "acc_norm"}]}
        first, samples = made("m", values, resolved_suite=suite)
        other = score_of([1 - value for value in values], "acc_norm")
        _, more = made("m", [1 - value for value in values], metric="acc_norm")
        return [(first.model_copy(update={"scores": (*first.scores, other)}), samples + more)]

    found = rows(*(two(values) for values in THREE))
    assert [(each.key.metric, each.is_primary) for each in found] == [("acc", False), ("acc_norm", True)]


def test_a_failed_task_is_refused_with_the_failure(rows):
    lost = made("m", [], status="failed", reason="out of memory", scores=())
    (found,) = rows([made("m", THREE[0])], [lost], [made("m", THREE[2])])
    assert (found.status, "out of memory" in found.why) == ("refused", True)


def test_a_group_is_won_back_as_its_own_number_weighs_its_tasks(rows):
    """A small task counts as much as a large one, in the share as in the group's score."""
    sizes = {"mmlu_law": 300, "mmlu_art": 60}

    def group(values):
        parts = values[:300], values[300:360]
        leaves = [
            made("m", part, task, columns=hashes(task, len(part))) for part, task in zip(parts, sizes, strict=True)
        ]
        whole = score_of([0.0], value=float(np.mean([np.mean(part) for part in parts])), n=360, total=None)
        return [*leaves, made("m", [], "mmlu", scores=(whole,), members=tuple(sizes))]

    (found,) = rows(*map(group, THREE))
    means = [np.mean([np.mean(values[:300]), np.mean(values[300:360])]) for values in THREE]
    assert (found.key.task, found.n) == ("mmlu", 360)
    assert [each.value for each in found.standings()] == pytest.approx(means)
    assert found.recovered.value == pytest.approx((means[2] - means[1]) / (means[0] - means[1]))
    assert found.recovered.lower < found.recovered.value < found.recovered.upper


def test_notes_of_the_pairs_say_who_they_are_about(rows):
    def cut(values, truncated):
        record, samples = made("m", values)
        counts = Counts(documents=400, documents_total=400, requests=400, tokens=1, truncated=truncated, reused=0)
        return [(record.model_copy(update={"counts": counts}), samples)]

    (found,) = rows(cut(THREE[0], 0), cut(THREE[1], 3), cut(THREE[2], 0))
    assert found.notes == ("prompts were cut to fit the context: 0 of A, 3 of B (A is whole, B is cut)",)


def hashes(task, n):
    return {name: [f"{task} {at}" for at in range(n)] for name in ("doc_hash", "request_hash")}
