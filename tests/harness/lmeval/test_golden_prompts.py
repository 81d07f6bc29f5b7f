"""The prompts of every suite, held by hash: lm-eval changes them without changing a task's version.

`python tests/test_golden_prompts.py` writes the hashes anew; look at every difference before committing one.
"""

import hashlib
import json
from pathlib import Path

import pytest

from harness.suites.suite import load_suite, suite_names
from zoo.errors import EnvironmentIssue, InputError

GOLDEN = Path(__file__).with_name("golden_prompts.json")
DOCUMENTS = 3
ABSENT = {"piqa", "boolq", "arc_easy", "openbookqa", "ifeval", "mmlu_pro"}
"""Tasks of suites whose data, or whose packages, the assets do not hold."""


def hashes(suite, data):
    """Task → a digest of the requests of the first documents by hash."""
    from harness.lmeval.loading.tasks import load_tasks
    from harness.lmeval.prompts import build_documents

    found = {}
    whole = load_suite(suite)
    for entry in whole.tasks:
        try:
            tasks = load_tasks(whole.model_copy(update={"tasks": (entry,)}), data, DOCUMENTS).tasks
        except (EnvironmentIssue, InputError):
            assert entry.task in ABSENT
            continue
        for name, loaded in tasks.items():
            documents, total = build_documents(loaded)
            assert len(documents) == min(DOCUMENTS, total)
            found[name] = hashlib.sha256("".join(d.request_hash for d in documents).encode()).hexdigest()
    return found


@pytest.mark.parametrize("suite", suite_names())
def test_prompts_of_every_suite_are_the_known_ones(suite, request):
    data = None if suite == "nano" else request.getfixturevalue("data")
    assert hashes(suite, data) == json.loads(GOLDEN.read_text())[suite]


if __name__ == "__main__":
    from conftest import assets_folder

    mirror = assets_folder() / "data"
    GOLDEN.write_text(json.dumps({suite: hashes(suite, mirror) for suite in suite_names()}, indent=1) + "\n")
