"""A model of the nano family run again with other digits, and what that changed counted."""

from backends.contract import Options
from harness.accuracy.prepare import DocumentRules, EvalRequest
from harness.gates.noise.calibration import calibrate
from harness.gates.noise.reruns import Ways
from harness.suites.suite import TaskSelection


def test_identical_code_is_run_again_and_counted_task_by_task():
    told = []
    request = EvalRequest(
        "nano-teacher",
        selection=TaskSelection(tasks=("nano_words",)),
        options=Options("cpu"),
        rules=DocumentRules(limit=6),
    )
    made = calibrate(request, 2, told.append, Ways(threads=(1,)))
    (words,) = made.tasks
    assert (made.model, words.task, words.documents, words.runs) == ("nano-teacher", "nano_words", 6, 2)
    assert len(told) >= 3
    assert made.variations[0] != made.variations[1]
    assert words.gold.largest < 0.1
