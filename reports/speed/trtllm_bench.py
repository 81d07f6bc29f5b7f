"""Reports of trtllm-bench beside minizoo's own runs of the same workload, and where the two mean other things by a word.

python -m reports.speed.trtllm_bench     # writes the table of docs/tensorrt-llm.md anew
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.imports.trtllm import TOOL
from harness.metrics.speed_metrics import load_metrics
from harness.records.files import read_record, run_folder
from harness.records.record import Record

PAGE = Path(__file__).parents[2] / "docs" / "tensorrt-llm.md"
AT_A_TIME = "request_info.avg_num_concurrent_requests"
SAME_LOAD = 0.1
"""By how much of our batch its average of requests at a time may differ: it begins with none and ends with few."""
STATISTICS = ("p50", "mean")
"""What is compared, the first that both have; of rates, of which a report has one number, ours is the median."""
OURS = """
SELECT run_id, finished_at, backend, dtype, batch, valid, metric, statistic, value, lower, upper, unit, weights FROM speed
WHERE source = 'measured' AND status = 'ok' AND model = ? AND gpu = ? AND input_tokens = ? AND output_tokens = ?
  AND batch IS NOT NULL AND rate IS NULL AND value IS NOT NULL AND statistic IN ('p50', 'mean')
ORDER BY finished_at DESC, run_id DESC, metric, statistic
"""


class Store(Protocol):
    """What answers a query: `harness.store.query.Reader`."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query."""
        ...


@dataclass(frozen=True)
class Definition:
    """A word of both, what it means in each, and what that does to a figure beside the other's."""

    word: str
    theirs: str
    ours: str
    so: str


def definitions() -> tuple[Definition, ...]:
    """Every word that means two things. Theirs by trtllm-bench's sources, ours by speed_metrics.yaml and the page of speed."""
    formula = {name: metric.formula for name, metric in load_metrics().items()}
    return (
        Definition(
            "load", "a request is taken as soon as one of `--concurrency` has ended: prompts are read while others answer",
            "a batch begins together and ends together, then the next one begins",
            "at one number of requests at a time theirs does both kinds of work in a step, ours one after the other",
        ),
        Definition(
            "output rate", "output tokens, the first of each answer too / (last end − first start), of one run",
            f"{formula['output_rate']}, of each trial",
            "the same tokens; theirs has one ramp and one tail in it, ours one a trial",
        ),
        Definition(
            "TTFT", "first streamed piece at the client − call of the engine, with `--streaming` alone",
            f"{formula['ttft']}; the mean over a batch",
            "the wait for a place of `--concurrency` is in none of its times",
        ),
        Definition(
            "TPOT", "(end − first piece) / (output tokens − 1); 0 for an answer of one token, which minizoo does not take in",
            f"{formula['tpot']}; the mean over a batch",
            "the same formula; its end is when the client had the last piece",
        ),
        Definition(
            "E2E latency", "last piece at the client − call of the engine", formula["e2e"],
            "as with TTFT, and without `--streaming` it is all that there is of a request",
        ),
        Definition(
            "percentile", "sorted[int(n · q)], whatever n is", "order statistic with an interval; refused for too few samples",
            "one rank above ours at most; what too few requests cannot state is refused on import",
        ),
        Definition(
            "warm-up", "`--warmup` requests (2) drawn from the data set, not streamed",
            "trials until three of them agree, none of them in a figure",
            "what is compiled or captured later than at its second request is in its figures",
        ),
        Definition(
            "repeats", "one run", "trials as the workload says, with an interval",
            "no error is known of its figure, so no difference is tested",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One metric of a report, and of a run of minizoo's."""

    metric: str
    unit: str
    statistic: str
    theirs: float
    ours: float
    lower: float | None
    upper: float | None
    backend: str
    batch: int
    run_id: str
    valid: bool
    weights: str

    @property
    def ratio(self) -> float:
        """Theirs over ours, without a test: of theirs no error is known."""
        return self.theirs / self.ours


@dataclass(frozen=True)
class Bench:
    """A report of trtllm-bench, with what stands beside it."""

    model: str
    gpu: str | None
    task: str
    at_a_time: float | None
    lines: tuple[Line, ...]
    absent: str = ""
    """Why nothing stands beside it."""


def benches(store: Store, results: Path, runs: Sequence[str]) -> list[Bench]:
    """Every report of trtllm-bench among those runs of the results folder, each with minizoo's own of the same workload."""
    paths = [path for run in runs for path in sorted(run_folder(results, run).glob("[!.]*/record.json"))]
    records = [read_record(path) for path in paths]
    return [_beside(store, record) for record in records if record.imported and record.imported.tool == TOOL]


def definitions_table() -> str:
    """The words as Markdown."""
    lines = ["| word | trtllm-bench | minizoo | so |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {one.word} | {one.theirs} | {one.ours} | {one.so} |" for one in definitions())])


def page(text: str) -> str:
    """The page with the table as it is now; ValueError where its marker is missing."""
    begin, end = "<!-- words:begin -->\n", "\n<!-- words:end -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError("the page has no place for the table of words")
    return before + begin + definitions_table() + end + after


def _beside(store: Store, record: Record) -> Bench:
    speed, told = record.speed, record.imported
    at_a_time = told.rest.get(AT_A_TIME) if told else None
    at_a_time = float(at_a_time) if isinstance(at_a_time, int | float) and at_a_time > 0 else None
    lines, absent = (), "the report does not say how many requests ran at a time, or on which GPU"
    if speed is not None and at_a_time is not None and record.setting.gpu:
        shape = [speed.input_tokens, speed.output_tokens]
        rows = store.rows(OURS, [record.subject.id, record.setting.gpu, *shape])
        lines, absent = _lines(record, rows, at_a_time)
    return Bench(record.subject.id, record.setting.gpu, record.task, at_a_time, lines, absent)


def _lines(record: Record, rows: Sequence[Mapping[str, Any]], at_a_time: float) -> tuple[tuple[Line, ...], str]:
    """Of each backend the newest run at that load, a valid one first; or why there is none."""
    if not rows:
        return (), "minizoo has measured no such model on such a GPU with requests of that length"
    same = [row for row in rows if row["dtype"] == record.setting.dtype]
    if not same:
        told = ", ".join(sorted({row["dtype"] for row in rows}))
        return (), f"minizoo measured it in {told}, not in {record.setting.dtype}"
    near = [row for row in same if abs(row["batch"] - at_a_time) <= SAME_LOAD * row["batch"]]
    if not near:
        batches = ", ".join(map(str, sorted({row["batch"] for row in same})))
        return (), f"{at_a_time:.1f} requests ran at a time, and minizoo measured it at batch {batches}"
    first: dict[str, str] = {}
    for row in sorted(near, key=lambda row: not row["valid"]):  # stable: the newest first of each
        first.setdefault(row["backend"], row["run_id"])
    chosen = [row for row in near if row["run_id"] == first[row["backend"]]]
    return tuple(line for backend in sorted(first) for line in _metrics(record, chosen, backend)), ""


def _metrics(record: Record, rows: Sequence[Mapping[str, Any]], backend: str) -> list[Line]:
    """A line for each metric that both have."""
    batch = min(row["batch"] for row in rows if row["backend"] == backend)
    mine = {(r["metric"], r["statistic"]): r for r in rows if r["backend"] == backend and r["batch"] == batch}
    figures = record.speed.statistics if record.speed else ()
    theirs = {(one.metric, one.statistic): one.value for one in figures if one.value}
    lines: list[Line] = []
    for metric in dict.fromkeys(name for name, _ in theirs):
        pairs = [(name, name) for name in STATISTICS] + ([("mean", "p50")] if metric.endswith("_rate") else [])
        found = next(((a, b) for a, b in pairs if (metric, a) in theirs and (metric, b) in mine), None)
        if found is None or not mine[metric, found[1]]["value"]:
            continue
        row, value = mine[metric, found[1]], theirs[metric, found[0]] or 0.0
        own = (row["value"], row["lower"], row["upper"], backend, batch, row["run_id"], row["valid"], row["weights"])
        lines.append(Line(metric, row["unit"], found[0], value, *own))
    return lines


if __name__ == "__main__":
    sys.exit(PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8") == 0)
