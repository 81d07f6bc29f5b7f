"""Which error a task's number gets: by its unit, its kind and lm-eval's aggregate."""

import pytest
from support import record1_rule

from harness.lmeval.estimates import clusters_of, statistics_of, value_of
from harness.lmeval.loading.tasks import load_tasks
from harness.lmeval.prompts import build_documents
from harness.stats.derive import derive
from harness.suites.suite import suite_of


def estimate_of(metric, aggregate, items, clusters):
    known = statistics_of(metric, aggregate, items, clusters)
    return derive(value_of(aggregate, items), len(items), known)


@pytest.fixture(scope="module")
def hellaswag(data):
    (loaded,) = load_tasks(suite_of(["hellaswag"], 0), data, 300).tasks.values()
    return loaded, build_documents(loaded)[0]


def test_hellaswags_documents_of_one_video_are_a_cluster(hellaswag):
    loaded, documents = hellaswag
    clusters = clusters_of(loaded, documents)
    assert clusters == tuple(document.doc["source_id"] for document in documents)
    assert 1 < len(set(clusters)) < len(documents)
    values = [float(cluster < "activitynet~v_m") for cluster in clusters]  # all of a video alike
    made = estimate_of("acc", loaded.task.aggregation()["acc"], values, clusters)
    assert made.stderr == pytest.approx(record1_rule.clustered_stderr(values, clusters))
    assert made.stderr > record1_rule.clustered_stderr(values, range(len(values)))


def test_data_without_the_column_has_documents_as_units(hellaswag):
    loaded, documents = hellaswag
    bare = [type(d)(d.doc_id, {}, d.doc_hash, d.occurrence, d.instances) for d in documents]
    assert clusters_of(loaded, bare) == ()


def test_an_aggregate_of_lists_gets_an_interval_by_resampling_its_documents():
    """IFEval's instruction-level accuracy: a document is a prompt with several instructions."""
    from lm_eval.api import metrics

    def by_instruction(items):
        flat = [value for item in items for value in item]
        return sum(flat) / len(flat)

    items = [[True, False], [True], [True, True, True], [False], [False, False]] * 12
    made = estimate_of("inst_level_strict_acc", by_instruction, items, ())
    assert made.value == by_instruction(items)
    assert made.lower < made.value < made.upper
    assert 0.03 < made.stderr < 0.12
    assert estimate_of("acc", metrics.mean, [1, 0, 1], ()).stderr is not None
