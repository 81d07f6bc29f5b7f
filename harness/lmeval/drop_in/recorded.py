"""Records of a run that lm-eval's own evaluator made of our model: its numbers, with the samples and errors of `minizoo eval`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.records.record import Record


@dataclass(frozen=True)
class RunFacts:
    """What lm-eval was asked, in its own words: its task objects do not tell."""

    began: datetime
    """When the evaluation began, with its zone."""
    seconds: float
    """From there until the last answer was judged, by a steady clock."""
    limit: float | None = None
    """`--limit`: the first so many documents of each task, below 1 a share of them."""
    samples: Mapping[str, Sequence[int]] | None = None
    """`--samples`: task → places of its documents."""
    num_fewshot: int | None = None
    system_instruction: str | None = None
    apply_chat_template: bool | str = False
    fewshot_as_multiturn: bool = True
    gen_kwargs: Mapping[str, Any] | str | None = None
    predict_only: bool = False
    seeds: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """`random_seed`, `numpy_seed`, `torch_seed`, `fewshot_seed`, as lm-eval's result files name them."""
    command: tuple[str, ...] | None = None
    """The command line; None takes this process's."""


def record_run(
    lm: Any, task_dict: Mapping[str, Any], results: Mapping[str, Any], facts: RunFacts, folder: Path
) -> list[Record]:
    """Record every task and group of a run below `folder`, of what `lm_eval.evaluator.evaluate` was given and returned.

    Nothing is written where one of them cannot be recorded. Returns an empty list for a run that judged nothing
    (`--predict_only`). Raises NotWritable, and InvalidData where lm-eval's number is not that of the answers.
    """
    raise NotImplementedError
