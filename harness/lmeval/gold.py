"""What a row of samples says of its document beside the values: the right answer's log-probability, length, shared unit."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

from harness.lmeval.estimates import clusters_of
from harness.lmeval.loading.tasks import LoadedTask
from harness.lmeval.prompts import Document
from harness.records.gold import UNKNOWN, Gold


def document_facts(loaded: LoadedTask, documents: Sequence[Document]) -> Iterator[dict[str, Any]]:
    """The columns `cluster`, `gold`, `gold_logprob` and `length` of each document, whose instances have their `resps`."""
    clusters: Sequence[Any] = clusters_of(loaded, documents) or [None] * len(documents)
    for document, cluster in zip(documents, clusters, strict=True):
        gold = gold_of_document(loaded.task, document)
        yield {"cluster": cluster, "gold": gold.place, "gold_logprob": gold.logprob, "length": length_of(document)}


def gold_of_document(task: Any, document: Document) -> Gold:
    """The right answer, where lm-eval's own rule judges by it: then `acc` is 1 exactly where it is the likeliest.

    Of a multiple choice its place and the log-likelihood of that choice's request, the conditional one where a task also asks
    for unconditional ones (acc_mutual_info). Of a log-likelihood task that of its one request. Unknown where a task's own code
    makes the requests or judges them, where several answers are right, and where the label is none of the choices.
    """
    from lm_eval.api.task import ConfigurableTask

    if not isinstance(task, ConfigurableTask):
        return UNKNOWN
    if type(task).construct_requests is not ConfigurableTask.construct_requests:
        return UNKNOWN
    if task.OUTPUT_TYPE == "loglikelihood":
        return Gold(None, _logprob(document.instances[0]))
    own = callable(task.config.process_results) or type(task).process_results is not ConfigurableTask.process_results
    if task.OUTPUT_TYPE != "multiple_choice" or own:
        return UNKNOWN
    choices = task.doc_to_choice(document.doc)
    place = _place(task.doc_to_text(document.doc) if task.multiple_input else task.doc_to_target(document.doc), choices)
    if place is None or len(document.instances) not in (len(choices), 2 * len(choices)):
        return UNKNOWN
    return Gold(place, _logprob(document.instances[place]))


def length_of(document: Document) -> int:
    """Characters of the document's longest request: context and continuation."""
    return max(sum(len(part) for part in instance.args if isinstance(part, str)) for instance in document.instances)


def _place(label: Any, choices: Sequence[str]) -> int | None:
    """Where the right answer stands among the choices, by lm-eval's label of it: a place, the answer's text, or a list."""
    if isinstance(label, list):
        return _place(label[0], choices) if len(label) == 1 else None
    if isinstance(label, str):
        return choices.index(label) if label in choices else None
    try:
        place = operator.index(label)
    except TypeError:
        return None
    return place if 0 <= place < len(choices) else None


def _logprob(instance: Any) -> float:
    """Σ log p of a scored request, in nats."""
    return float(instance.resps[0][0])
