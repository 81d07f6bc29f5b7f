"""Requests over a few documents of nano tasks."""

from backends.contract import Options
from harness.accuracy.prepare import DocumentRules, EvalRequest
from harness.suites.suite import TaskSelection


def asking(model, *tasks: str, limit: int = 3, **options) -> EvalRequest:
    """The request for a model on the CPU; `options` are those of a backend."""
    return EvalRequest(
        str(model),
        selection=TaskSelection(tasks=tasks or ("nano_words", "nano_sums")),
        options=Options(device="cpu", **options),
        rules=DocumentRules(limit),
    )
