"""Two output folders of lm-eval over the same documents, compared: `--output_path … --log_samples` of two engines.

What must be identical, to the last digit of the files: every question, every generated text, and every metric that counts
documents or texts. A log-probability is rounded differently by each engine, so a sum of n tokens may differ by
`token_error` × √(n / 10), and a metric made of log-probabilities (perplexity, the share of mc2) relatively by twice the largest
difference of its task; nothing is rounded before it is compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNIT = 2.0**-24
"""Unit roundoff of fp32."""
LOGIT = 20.0
"""Magnitude of a logit, as tests/support/tolerances.py assumes it."""
FEW = 10
"""Tokens whose sum keeps within the error of one."""


@dataclass(frozen=True)
class Output:
    """What one run of lm-eval's command line left."""

    results: Mapping[str, Any]
    samples: Mapping[str, Sequence[Mapping[str, Any]]]
    """Task → rows, one for each document and filter."""


@dataclass(frozen=True)
class Answers:
    """A document's answers in both runs: log-probabilities beside the text they are of, or generated texts."""

    theirs: list[Any]
    ours: list[Any]
    sizes: list[int]
    """Bytes of the text that each log-probability is of: no more tokens than these."""


def read_output(folder: Path) -> Output:
    """The newest results file below `folder` and its samples."""
    path = max(folder.rglob("results_*.json"))
    stamp = path.stem.removeprefix("results_")
    samples = {
        file.name.removeprefix("samples_").removesuffix(f"_{stamp}.jsonl"): [
            json.loads(line) for line in file.read_text("utf-8").splitlines()
        ]
        for file in sorted(path.parent.glob(f"samples_*_{stamp}.jsonl"))
    }
    return Output(json.loads(path.read_text("utf-8")), samples)


def token_error(config: Mapping[str, Any]) -> float:
    """|Δ log p| of a token between two right fp32 computations: about ten roundings a layer in sums of `hidden_size` terms."""
    return math.sqrt(10 * config["num_hidden_layers"] * config["hidden_size"]) * UNIT * LOGIT


def compare(theirs: Output, ours: Output, error: float) -> list[dict[str, Any]]:
    """A row a task; `equal` says that all of its promises hold."""
    return [_task(name, theirs, ours, error) for name in theirs.samples]


GENERATION = "generate_until"
QUESTION = ("doc_id", "doc_hash", "prompt_hash", "target_hash", "arguments")


def _task(name: str, theirs: Output, ours: Output, error: float) -> dict[str, Any]:
    pairs = list(zip(theirs.samples[name], ours.samples[name], strict=True))
    kind = theirs.results["configs"][name]["output_type"]
    answers = list(_answers([(a, b) for a, b in pairs if a["filter"] == pairs[0][0]["filter"]], kind))
    counting = _counting(theirs.samples[name])
    row: dict[str, Any] = {
        "task": name, "output_type": kind, "documents": len(answers), "requests": sum(len(d.theirs) for d in answers),
        "same_questions": all(a[key] == b[key] for a, b in pairs for key in QUESTION),
        "flips": sum(a.get(metric) != b.get(metric) for a, b in pairs for metric in counting),
    }  # fmt: skip
    exact, apart = counting, 0.0
    if kind == GENERATION:
        exact = {metric for a, _ in pairs for metric in a["metrics"]}
        row["other_texts"] = sum(d.theirs != d.ours for d in answers)
    else:
        row["flips"] += sum(map(_flipped, answers))
        row["largest_difference"] = max(
            abs(a[0] - b[0]) for d in answers for a, b in zip(d.theirs, d.ours, strict=True)
        )
        row["largest_share_of_allowed"] = max(_shares(answers, error))
        apart = 2 * row["largest_difference"]
    row["metrics"] = list(_metrics(name, theirs, ours, exact=exact, apart=apart))
    faults = [row["flips"], row.get("other_texts", 0), row.get("largest_share_of_allowed", 0) > 1]
    return {**row, "equal": row["same_questions"] and not any(faults) and all(m["equal"] for m in row["metrics"])}


def _answers(pairs: list[tuple[Any, Any]], kind: str) -> Iterator[Answers]:
    for theirs, ours in pairs:
        texts = [list(arguments.values())[-1] for arguments in theirs["arguments"].values()]
        yield Answers(
            *([_parsed(answers, kind) for answers in row["resps"]] for row in (theirs, ours)),
            [len(text.encode()) if isinstance(text, str) else 0 for text in texts],
        )


def _parsed(answers: list[Any], kind: str) -> Any:
    """The texts of one request; or (log p, whether greedy decoding gives it), which the file has as words."""
    if kind == GENERATION:
        return answers
    answer = answers[0]
    return (float(answer[0]), answer[1]) if isinstance(answer, list) else (float(answer), None)


def _flipped(document: Answers) -> bool:
    """Whether the likeliest answer or the greediness of one is another."""
    best = [max(range(len(a)), key=lambda i: a[i][0]) for a in (document.theirs, document.ours)]
    return best[0] != best[1] or [a[1] for a in document.theirs] != [a[1] for a in document.ours]


def _counting(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """The metrics by which every document counts or does not."""
    values: dict[str, set[Any]] = {}
    for row in rows:
        for metric in row["metrics"]:
            values.setdefault(metric, set()).add(json.dumps(row[metric]))
    return {metric for metric, found in values.items() if found <= {"0", "1", "0.0", "1.0", "false", "true"}}


def _shares(answers: Sequence[Answers], error: float) -> Iterator[float]:
    for document in answers:
        for theirs, ours, size in zip(document.theirs, document.ours, document.sizes, strict=True):
            yield abs(theirs[0] - ours[0]) / (error * math.sqrt(max(1.0, size / FEW)))


def _metrics(
    name: str, theirs: Output, ours: Output, *, exact: Container[str], apart: float
) -> Iterator[dict[str, Any]]:
    """Every number of the task in the results files; those of `exact` metrics may not differ."""
    for key, expected in theirs.results["results"][name].items():
        metric, comma, _ = key.partition(",")
        if not comma:
            continue
        found = ours.results["results"][name].get(key)
        relative = _relative(found, expected)
        rounded = metric.removesuffix("_stderr") not in exact and relative <= apart
        yield {
            "metric": key, "hf": expected, "minizoo": found, "identical": found == expected,
            "relative_difference": relative, "equal": found == expected or rounded,
        }  # fmt: skip


def _relative(found: Any, expected: Any) -> float:
    if found == expected:
        return 0.0
    numbers = all(isinstance(value, float | int) for value in (found, expected))
    return abs(found - expected) / abs(expected) if numbers and expected else math.inf
