"""Runs that can be baselines, in a results folder of their own."""

from harness.records.files import new_run_id, write_record
from support.records import record

PASSAGE = "Once a secret passage of the data set."
ANSWER = "and this the model wrote"


def outcome_rows(values=(1.0, 0.0, 1.0)):
    """Rows of samples with words in them that must not leave the machine."""
    row = {"occurrence": 0, "request_hash": "r", "prompt_hash": "p", "metric": "acc", "filter": "none", "weight": None}
    row |= {"target": PASSAGE, "responses": f'[["{ANSWER}"]]', "filtered": f'["{ANSWER}"]', "cluster": PASSAGE}
    row |= {"gold": 1, "length": 40}
    return [
        {"doc_id": at, "doc_hash": f"d{at}", "value": value, "gold_logprob": -1.5 - at, **row}
        for at, value in enumerate(values)
    ]


def accepted_run(results, tasks=("winogrande", "arc_challenge"), run_id=None, **changes):
    """A run with samples of each task; its id."""
    run_id = run_id or new_run_id()
    resolved = {"name": "smoke", "tasks": [{"task": task, "metric": "acc", "filter": "none"} for task in tasks]}
    for task in tasks:
        write_record(results, record(task, run_id=run_id, **({"resolved_suite": resolved} | changes)), outcome_rows())
    return run_id
