"""One lm-eval command line with `--model hf` and with `--model minizoo`: equal files asserted first, then the times of both.

    python benchmarks/lm_eval_drop_in.py ../shared/models/stories260k SMOLLM2 --data ../shared/data \
        --out benchmarks/lm_eval_drop_in.json
    python benchmarks/lm_eval_drop_in.py MODEL --data ../shared/data --limit 4 --tasks hellaswag,gsm8k

Each model is a folder; both commands run one after the other in processes of their own, with nothing cached from the other. The
rows of other models in `--out` stay where they are of the same command.
Exits 1 when the two leave different files; `benchmarks/lm_eval_pair.py` says what equal means. Seconds are those of the whole
command, and those that lm-eval itself writes as `total_evaluation_time_seconds`: from its command line read to its results
counted, without the import of packages.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.lm_eval_pair import compare, read_output, rounding  # noqa: E402

TASKS = "hellaswag,arc_challenge,truthfulqa_mc2,gsm8k,wikitext"
ENGINES = ("minizoo", "hf")
BEGINS = re.compile(r"^(\S+) INFO .*\] Running (\w+) requests$", re.MULTILINE)
"""lm-eval's line when it hands the requests of one kind to the model, those of all tasks together."""
ENDS = re.compile(r"^(\S+) INFO .*Saving results aggregated", re.MULTILINE)
KINDS = {"multiple_choice": "loglikelihood"}
"""A task's output type → the kind of its requests, where it has another name."""
PACKAGES = ("lm-eval", "torch", "transformers", "tokenizers", "datasets")


def main() -> int:
    args = _arguments()
    document: dict[str, Any] = {"command": shlex.join(command("ENGINE", "MODEL", args)), "models": _before(args)}
    for folder in args.models:
        row = {"made": datetime.now(UTC).isoformat(timespec="seconds"), **_provenance(), **_measure(folder, args)}
        rows = [*(other for other in document["models"] if other["model"] != row["model"]), row]
        document["models"] = rows
        if args.out:  # an hour's figures outlive what comes after them
            args.out.write_text(json.dumps(document, indent=1) + "\n")
    for page in args.page:
        page.write_text(filled(page.read_text("utf-8"), document))
    print(json.dumps(document) if args.json else "\n".join(table(document)))
    return 0 if all(row["equal"] for row in document["models"]) else 1


def _before(args: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of other models that were measured by the same command, in runs of their own."""
    if not args.out or not args.out.is_file():
        return []
    known = json.loads(args.out.read_text("utf-8"))
    return known["models"] if known["command"] == shlex.join(command("ENGINE", "MODEL", args)) else []


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("models", type=Path, nargs="+", help="folders of models")
    words.add_argument("--data", type=Path, required=True, help="mirror of hub data sets")
    words.add_argument("--tasks", default=TASKS)
    words.add_argument("--limit", type=int, default=100, help="documents of each task")
    words.add_argument("--batch-size", default="1", help="lm-eval's --batch_size, which minizoo chooses itself")
    words.add_argument("--hf-args", default="", help="more of HFLM's arguments: softmax_dtype=float64")
    words.add_argument("--out", type=Path, help="write the figures to this JSON file")
    words.add_argument(
        "--page", type=Path, nargs="+", default=[], help="put the times into these Markdown pages, between their marks"
    )
    words.add_argument("--json", action="store_true")
    return words.parse_args()


def _measure(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        runs = {engine: _run(engine, folder, args, Path(scratch) / engine) for engine in ENGINES}
        theirs, ours = (read_output(Path(scratch) / engine / "out") for engine in ("hf", "minizoo"))
    tasks = compare(theirs, ours, _bound(folder))
    for engine, output in (("hf", theirs), ("minizoo", ours)):
        runs[engine]["evaluation_seconds"] = float(output.results["total_evaluation_time_seconds"])
    return {
        "model": folder.resolve().name,
        **runs,
        "ratio": runs["hf"]["seconds"] / runs["minizoo"]["seconds"],
        "evaluation_ratio": runs["hf"]["evaluation_seconds"] / runs["minizoo"]["evaluation_seconds"],
        "equal": all(task["equal"] for task in tasks),
        "tasks": tasks,
    }


def _bound(folder: Path) -> Callable[[str], float]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    return lambda text: rounding(config, len(tokenizer.encode(text)))


def command(engine: str, model: str, args: argparse.Namespace) -> list[str]:
    """The words of lm-eval's command line; only one of them differs."""
    more = f",{args.hf_args}" if engine == "hf" and args.hf_args else ""
    return [
        "minizoo", "lm-eval", "run", "--model", engine, "--model_args", f"pretrained={model},dtype=float32{more}",
        "--tasks", args.tasks, "--limit", str(args.limit), "--batch_size", args.batch_size,
        "--output_path", "out", "--log_samples",
    ]  # fmt: skip


def _run(engine: str, folder: Path, args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Wall time, processor time and the largest resident size of one command, its output in `scratch`/out."""
    scratch.mkdir()
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "MINIZOO_DATA": str(args.data.resolve()), "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(scratch / "hub"), "MINIZOO_LOG_DIR": str(scratch / "log"),
    }  # fmt: skip
    words = command(engine, str(folder.resolve()), args)
    start = time.perf_counter()
    with (scratch / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=scratch, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    told = (scratch / "said").read_text()
    if status:
        sys.exit(f"{shlex.join(words)} failed:\n{told[-3000:]}")
    print(f"{folder.resolve().name}: --model {engine} took {seconds:.1f} s", file=sys.stderr, flush=True)
    return {
        "seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "peak_bytes": used.ru_maxrss * 1024,
        "seconds_of_requests": dict(_by_kind(told)),
    }  # fmt: skip


def _by_kind(told: str) -> Iterator[tuple[str, float]]:
    """Seconds from one kind of requests to the next, whole ones; the last has the judging of all answers too."""
    begins = [(_time(found[1]), found[2]) for found in BEGINS.finditer(told)]
    ends = [*(moment for moment, _ in begins[1:]), *(_time(found[1]) for found in ENDS.finditer(told))]
    yield from ((kind, (end - start).total_seconds()) for (start, kind), end in zip(begins, ends, strict=True))


def _time(words: str) -> datetime:
    return datetime.strptime(words, "%Y-%m-%d:%H:%M:%S")


def _provenance() -> dict[str, Any]:
    from harness.records.provenance import git_sha
    from harness.speed.probes.os_probe import OsProbe

    facts = OsProbe().facts()
    return {
        "commit": git_sha(), "cpu": facts["product"], "processors": facts["processors"], "load_average": os.getloadavg()[0],
        "versions": {name: version(name) for name in PACKAGES}, "python": platform.python_version(),
    }  # fmt: skip


def filled(page: str, document: dict[str, Any]) -> str:
    """The page with the times of the document between its marks."""
    before, begin, rest = page.partition("<!-- times:begin -->\n")
    _, end, after = rest.partition("<!-- times:end -->")
    first = document["models"][0]
    days = " and ".join(dict.fromkeys(row["made"][:10] for row in document["models"]))
    said = f"`{document['command']}` on {first['processors']} processors ({first['cpu']}), {days}."
    lines = [*_commands(document), "", *_requests(document), "", said]
    return before + begin + "\n".join(lines) + "\n" + end + after


def table(document: dict[str, Any]) -> Iterator[str]:
    """The two commands' times and how near their answers are, as Markdown."""
    for part in (_commands, _requests, _metrics):
        yield from part(document)
        yield ""


def _commands(document: dict[str, Any]) -> Iterator[str]:
    """A row a model; memory in GiB."""
    titles = "model|hf|minizoo|ratio|hf, evaluation|minizoo, evaluation|ratio|peak memory|max Δ log p|flips|other texts|equal"
    rows: list[list[str]] = []
    for row in document["models"]:
        theirs, ours, tasks = row["hf"], row["minizoo"], row["tasks"]
        rows.append([
            row["model"],
            f"{theirs['seconds']:.0f} s", f"{ours['seconds']:.0f} s", f"{row['ratio']:.1f}×",
            f"{theirs['evaluation_seconds']:.0f} s", f"{ours['evaluation_seconds']:.0f} s", f"{row['evaluation_ratio']:.1f}×",
            f"{theirs['peak_bytes'] / 2**30:.2f} → {ours['peak_bytes'] / 2**30:.2f} GiB",
            f"{max(task.get('largest_difference', 0) for task in tasks):.1e}",
            str(sum(task["flips"] for task in tasks)), str(sum(task.get("other_texts", 0) for task in tasks)),
            "yes" if row["equal"] else "NO",
        ])  # fmt: skip
    yield from _rows(titles, rows)


def _requests(document: dict[str, Any]) -> Iterator[str]:
    """A row a model and kind of request."""
    rows: list[list[str]] = []
    for row in document["models"]:
        theirs, ours = (row[engine]["seconds_of_requests"] for engine in ("hf", "minizoo"))
        for kind, seconds in theirs.items():
            tasks = ", ".join(f"`{task['task']}`" for task in row["tasks"] if _kind(task) == kind)
            least = max(ours[kind], 1.0)
            rows.append([row["model"], tasks, f"{seconds:.0f} s", f"{ours[kind]:.0f} s", f"{seconds / least:.1f}×"])
    yield from _rows("model|tasks|hf|minizoo|ratio", rows)


def _kind(task: dict[str, Any]) -> str:
    return KINDS.get(task["output_type"], task["output_type"])


def _metrics(document: dict[str, Any]) -> Iterator[str]:
    """A row a model and number of the results files."""
    rows: list[list[str]] = []
    for row in document["models"]:
        for task in row["tasks"]:
            largest = f"{task['largest_difference']:.1e}" if "largest_difference" in task else "–"
            for metric in task["metrics"]:
                apart = "0" if metric["identical"] else f"{metric['relative_difference']:.1e}"
                told = [f"`{task['task']}`", f"`{metric['metric']}`", str(metric["hf"]), str(metric["minizoo"])]
                rows.append([row["model"], *told, apart, largest, "yes" if metric["equal"] else "NO"])
    yield from _rows("model|task|metric|hf|minizoo|relative difference|max Δ log p of the task|equal", rows)


def _rows(titles: str, rows: Sequence[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(titles.split("|")) + " |"
    yield "|" + "---|" * len(titles.split("|"))
    for row in rows:
        yield "| " + " | ".join(row) + " |"


if __name__ == "__main__":
    sys.exit(main())
