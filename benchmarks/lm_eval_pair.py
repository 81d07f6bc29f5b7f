"""Two output folders of lm-eval over the same documents, compared: `--output_path … --log_samples` of two engines.

What must be identical, to the last digit of the files: every question, every generated text, and every metric that counts
documents or texts. A log-probability is rounded differently by each engine: a sum may differ by what `rounding` says.
A metric made of log-probabilities may differ by twice the largest difference of its task: that of an answer for a share of
probabilities (mc2), that of a word or a byte for a perplexity, which is the exponential of their mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNIT = 2.0**-24
"""Unit roundoff of fp32."""
Bound = Callable[[str], float]
"""A text → how far its log-probabilities may lie apart."""
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
    bounds: list[float]
    """How far each log-probability may lie apart."""

    @property
    def largest(self) -> float:
        """Difference of log-probabilities."""
        return max(abs(a[0] - b[0]) for a, b in zip(self.theirs, self.ours, strict=True))


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


def rounding(config: Mapping[str, Any], tokens: int) -> float:
    """How far two right fp32 sums of the log-probabilities of so many tokens may lie apart.

    A token's logits take about ten roundings a layer in sums of `hidden_size` terms, and errors of tokens are independent.
    That of HFLM's log-softmax is not: torch adds `vocab_size` exponentials in fp32, which leaves the sum too small by the
    same share at each token (7e-6 of SmolLM2's 49,152).
    """
    token = math.sqrt(10 * config["num_hidden_layers"] * config["hidden_size"]) * UNIT * LOGIT
    return token * math.sqrt(max(1.0, tokens / FEW)) + tokens * math.sqrt(config["vocab_size"]) * UNIT


def compare(theirs: Output, ours: Output, bound: Bound) -> list[dict[str, Any]]:
    """A row a task; `equal` says that all of its promises hold."""
    return [_task(name, theirs, ours, bound) for name in theirs.samples]


GENERATION = "generate_until"
QUESTION = ("doc_id", "doc_hash", "prompt_hash", "target_hash", "arguments")


def _task(name: str, theirs: Output, ours: Output, bound: Bound) -> dict[str, Any]:
    pairs = list(zip(theirs.samples[name], ours.samples[name], strict=True))
    kind = theirs.results["configs"][name]["output_type"]
    answers = list(_answers([(a, b) for a, b in pairs if a["filter"] == pairs[0][0]["filter"]], kind, bound))
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
        row["largest_difference"] = max(d.largest for d in answers)
        row["largest_share_of_allowed"] = max(_shares(answers))
        apart = 2 * max(_differences(pairs, answers))
    row["metrics"] = list(_metrics(name, theirs, ours, exact=exact, apart=apart))
    faults = [row["flips"], row.get("other_texts", 0), row.get("largest_share_of_allowed", 0) > 1]
    return {**row, "equal": row["same_questions"] and not any(faults) and all(m["equal"] for m in row["metrics"])}


def _answers(pairs: list[tuple[Any, Any]], kind: str, bound: Bound) -> Iterator[Answers]:
    for theirs, ours in pairs:
        texts = [list(arguments.values())[-1] for arguments in theirs["arguments"].values()]
        yield Answers(
            *([_parsed(answers, kind) for answers in row["resps"]] for row in (theirs, ours)),
            [bound(text) for text in texts if kind != GENERATION],
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


def _shares(answers: Sequence[Answers]) -> Iterator[float]:
    for document in answers:
        for theirs, ours, bound in zip(document.theirs, document.ours, document.bounds, strict=True):
            yield abs(theirs[0] - ours[0]) / bound


def _differences(pairs: Sequence[tuple[Any, Any]], answers: Sequence[Answers]) -> Iterator[float]:
    """Of a document's answers; where its metrics are a log-probability and a number of units, of a unit."""
    for (row, _), document in zip(pairs, answers, strict=True):
        units = [row[metric][1] for metric in row["metrics"] if isinstance(row[metric], list) and len(row[metric]) == 2]
        yield document.largest / min(units, default=1)


def _metrics(
    name: str, theirs: Output, ours: Output, *, exact: Container[str], apart: float
) -> Iterator[dict[str, Any]]:
    """Every number of the task in the results files; those of `exact` metrics may not differ."""
    for key, expected in theirs.results["results"][name].items():
        metric, comma, _ = key.partition(",")
        if not comma:
            continue
        found = ours.results["results"][name].get(key)
        difference, relative = _differs(found, expected)
        # of a mean of log-probabilities (bits a byte) the difference is bounded, of its exponential the relative one
        rounded = metric.removesuffix("_stderr") not in exact and min(difference, relative) <= apart
        yield {
            "metric": key, "hf": expected, "minizoo": found, "identical": found == expected,
            "relative_difference": relative, "equal": found == expected or rounded,
        }  # fmt: skip


def _differs(found: Any, expected: Any) -> tuple[float, float]:
    """The difference of two values of a metric, and the relative one."""
    if found == expected:
        return 0.0, 0.0
    if not all(isinstance(value, float | int) for value in (found, expected)):
        return math.inf, math.inf
    return abs(found - expected), abs(found - expected) / abs(expected) if expected else math.inf
