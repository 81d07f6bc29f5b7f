"""A group is its tasks' documents together, weighted as its own number weighs them."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from support.compared import made, score_of

from harness.compare.comparison import Asked
from harness.records.files import new_run_id
from harness.stats.sufficient import PrintedStatistics, StrataStatistics, Stratum

RNG = np.random.default_rng(3)
TASKS = ("mmlu_law", "mmlu_virology", "mmlu_art")
SIZES = (300, 60, 40)
OLD, NEW = ([list(map(float, RNG.random(n) < share)) for n in SIZES] for share in (0.8, 0.7))


def group(model, leaves, weights, group_score=None, columns=None):
    """What a run leaves of a group: its tasks, each with documents of its own, and the group's number."""
    run = new_run_id()
    tasks = [
        made(model, values, task, run_id=run, columns=hashes(task, len(values)) | (columns or {}))
        for task, values in zip(TASKS, leaves, strict=False)
    ]
    scores = [record.scores[0] for record, _ in tasks]
    strata = tuple(
        Stratum(weight=w / sum(weights), value=s.value, n=s.n, total=s.n, statistics=s.statistics)
        for w, s in zip(weights, scores, strict=False)
    )
    fields = {"value": sum(stratum.weight * stratum.value for stratum in strata), "n": sum(map(len, leaves))}
    fields |= {"total": None, "statistics": StrataStatistics(strata=strata, unit_interval=True)}
    own = score_of([0.0], **fields | (group_score or {}))
    return [*tasks, made(model, [], "mmlu", run_id=run, scores=(own,), members=TASKS[: len(leaves)])]


def hashes(task, n):
    return {"doc_hash": [f"{task} {i}" for i in range(n)], "request_hash": [f"r {task} {i}" for i in range(n)]}


def both(weights, **changes):
    return [group(model, leaves, weights, **changes) for model, leaves in (("old", OLD), ("new", NEW))]


def values_of(sides):
    """Each side's number of the group."""
    return [parts[-1][0].scores[0].value for parts in sides]


def test_weighted_by_documents_it_is_exact_mcnemar_over_all_of_them(compared):
    sides = both(SIZES)
    (row,) = compared(*sides).rows
    before, after = values_of(sides)
    a, b = np.concatenate(OLD), np.concatenate(NEW)
    lost, gained = int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())
    assert (row.key.task, row.n, row.tested.test) == ("mmlu", 400, "exact McNemar")
    assert (row.tested.lost, row.tested.gained) == (lost, gained)
    assert row.tested.p_value == pytest.approx(stats.binomtest(lost, lost + gained).pvalue)
    assert row.difference == pytest.approx(after - before)


def test_weighted_alike_its_numbers_are_those_of_the_records(compared):
    sides = both((1, 1, 1))
    (row,) = compared(*sides).rows
    assert [row.a_value, row.b_value] == pytest.approx(values_of(sides))
    assert row.difference == pytest.approx(np.mean([np.mean(n) - np.mean(o) for o, n in zip(OLD, NEW, strict=True)]))
    assert row.tested.test == "paired t of weighted tasks"


@pytest.mark.parametrize("weights", [SIZES, (1, 1, 1)], ids=["by documents", "alike"])
def test_weights_that_a_file_does_not_tell_are_those_that_give_its_number(compared, weights):
    sides = both(weights, group_score={"statistics": PrintedStatistics(stderr=0.01)})
    (row,) = compared(*sides).rows
    assert [row.a_value, row.b_value] == pytest.approx(values_of(sides))


def test_tasks_stand_behind_their_group_unless_they_are_named_without_it(compared):
    sides = both(SIZES)
    assert [row.key.task for row in compared(*sides).rows] == ["mmlu"]
    assert [row.key.task for row in compared(*sides, Asked(tasks=("mmlu*",))).rows] == ["mmlu"]
    assert [row.key.task for row in compared(*sides, Asked(tasks=("mmlu_*",))).rows] == list(TASKS)


def test_a_group_that_is_no_weighted_mean_of_its_tasks_is_refused(compared):
    sides = both(SIZES, group_score={"value": 0.123, "statistics": None})
    assert (
        compared(*sides).rows[0].refused == "acc of A is no weighted mean of the group's tasks, so it cannot be paired"
    )


def test_a_group_of_other_weights_is_refused(compared):
    sides = group("old", OLD, SIZES), group("new", NEW, (1, 1, 1))
    assert compared(*sides).rows[0].refused == "the group weighs its tasks differently on the two sides"


def test_a_group_of_other_tasks_is_refused(compared):
    sides = group("old", OLD, SIZES), group("new", NEW[:2], SIZES[:2])
    assert compared(*sides).rows[0].refused == "the group has other tasks on the two sides (1, such as mmlu_art)"


def test_one_refused_task_refuses_the_group_by_its_name(compared):
    sides = group("old", OLD, SIZES), group("new", NEW, SIZES, columns={"request_hash": "x"})
    refused = compared(*sides).rows[0].refused
    assert refused.startswith("mmlu_law: prompts differ: the requests of 300 of 300 documents are not the same")
    assert refused.endswith("(and 2 more of its 3 tasks)")


def test_a_group_equals_lm_evals_own_weighting(compared):
    """`score_group` on the tasks' scores gives the row's numbers, over all documents."""
    from lm_eval.api.group import Group

    from harness.lmeval.scores import score_group

    found = []
    for leaves in (OLD, NEW):
        own = {task: [score_of(values)] for task, values in zip(TASKS, leaves, strict=True)}
        found.append(score_group(lm_evals_group(Group), own)[0])
    (row,) = compared(*both(SIZES)).rows
    assert row.difference == pytest.approx(found[1].value - found[0].value)


def lm_evals_group(kind):
    from lm_eval.config.group import AggMetricConfig

    group = kind("mmlu", aggregate_metric_list=[AggMetricConfig(metric="acc", weight_by_size=True)])
    group.get_all_tasks = lambda: [SimpleNamespace(task_name=task) for task in TASKS]
    return group
