"""Evaluate a checkpoint in a folder from Python: python examples/evaluate_a_folder.py FOLDER TASK [RESULTS]."""

import sys
from pathlib import Path

from harness.accuracy.prepare import DocumentRules, EvalRequest
from harness.accuracy.run import run
from harness.suites.suite import TaskSelection
from zoo.errors import MinizooError


def main(folder: str, task: str, results: str = "results") -> None:
    request = EvalRequest(
        model=folder,
        name="my-model",  # what results call it
        selection=TaskSelection(tasks=(task,)),
        rules=DocumentRules(limit=20),
    )
    for record in run(request, Path(results)).records:
        for score in record.scores:
            print(f"{record.subject.name} {record.task} {score.metric}: {score.value:.3f} over {score.n} documents")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MinizooError as error:  # one class a cause; the code never changes
        sys.exit(f"{error.code}: {error}")
