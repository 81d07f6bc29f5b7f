"""What decides the answers of an evaluation, so that an unfinished run of it is recognised."""

from __future__ import annotations

from backends.contract import Backend
from harness.accuracy.prepare import Evaluation
from harness.accuracy.resume_log import resume_key
from harness.records.record import Subject


def evaluation_key(evaluation: Evaluation, backend: Backend, subject: Subject) -> str:
    """The key of an unfinished run, but for the tasks' texts and data: of these each has a digest of its own.

    So a run goes on where a task's data came meanwhile, or cannot be had any more.
    """
    rules = evaluation.request.rules
    return resume_key(
        {
            "weights": subject.weights_digest,
            "tokenizer": subject.tokenizer_digest,
            "model": [subject.id, subject.name, subject.parent],
            "suite": evaluation.suite.model_dump(mode="json"),
            "overflow": {e.task: rules.overflow or e.overflow or "refuse" for e in evaluation.suite.tasks},
            "limit": rules.limit,
            "seed": evaluation.request.seed,
            "backend": [backend.name, backend.device, backend.dtype],
            "versions": {**backend.versions, **evaluation.versions},
        }
    )
