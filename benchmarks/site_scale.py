"""How the results database and the site stand 10,000 runs and 500,000 samples, all invented (benchmarks/synthetic).

    python benchmarks/site_scale.py --work /tmp/scale --out benchmarks/site_scale.json
    python benchmarks/site_scale.py --work /tmp/scale --runs 200 --samples 10000 --models 24 --tasks 12     # a look

Each stage runs in a process of its own, so that its peak of memory is its own: the records, the database from nothing, one
record caught up (the median of several), the board and the models' pages made and thrown away, the whole site written, and
written again when nothing changed. Bars: one record in 0.5 s, board and models in 30 s, 1 GiB in the database and all pages.
Exits 1 where one is not met.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.synthetic_records import Written, plan_of, write, write_run  # noqa: E402
from harness.processor import processor_name  # noqa: E402
from harness.records.files import run_folder  # noqa: E402

SIZES = {"runs": 10_000, "samples": 500_000, "models": 60, "tasks": 18, "hardware": 8, "seed": 0}
STAGES = ("records", "database", "one record", "board and models", "site", "site again")
REPEATS = 7
VERSION = "0"
"""On the pages, in the place of minizoo's, so that a new one changes no size."""
BARS = {"one record": ("seconds", 0.5), "board and models": ("seconds", 30.0)}
MEMORY = ("database", "board and models", "site", "site again")
MEMORY_BAR = 2**30


def records(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Write the records."""
    shutil.rmtree(work / "results", ignore_errors=True)
    return vars(write(work / "results", **sizes)) | {"bytes": size_of(work / "results")}


def database(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Make the database from the records."""
    from harness.store.catch_up import rebuild

    return {"records": rebuild(work / "results"), "bytes": (work / "results" / "minizoo.duckdb").stat().st_size}


def one_record(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Catch up with one further run of one record; the first time, which imports and reads from disk, is told apart."""
    from harness.store.catch_up import catch_up

    results = work / "results"
    catch_up(results)
    plan, taken = plan_of(**sizes), list[float]()
    further = (number for number in count(sizes["runs"]) if not run_folder(results, plan.run_id(number)).exists())
    for number in islice(further, REPEATS + 1):
        write_run(results, plan, number, 0, Written())
        for record in sorted(run_folder(results, plan.run_id(number)).iterdir())[1:]:
            shutil.rmtree(record)
        began = time.perf_counter()
        if catch_up(results) != 1:
            raise RuntimeError("not one record was taken in")
        taken.append(time.perf_counter() - began)
    return {"first": taken[0], "seconds": statistics.median(taken[1:]), "slowest": max(taken[1:])}


def board_and_models(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Make the board's pages and the models' and count their bytes."""
    from harness.store.query import Reader
    from reports.pages import board, models
    from reports.publish import site_input

    reader = Reader(work / "results")
    began = time.perf_counter()
    source = site_input(work / "results", reader, VERSION)
    told: dict[str, Any] = {"input": time.perf_counter() - began, "rows": len(source.board.rows)}
    told["columns"] = len(source.board.columns)
    for name, make in (("board", board.pages), ("models", models.pages)):
        start = time.perf_counter()
        sizes_of = [len(html.encode()) for _, html in make(source)]
        told[name] = {"seconds": time.perf_counter() - start, "pages": len(sizes_of), "bytes": sum(sizes_of)}
        told[name]["largest"] = max(sizes_of, default=0)
    return {"seconds": time.perf_counter() - began, **told}


def site(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Write the whole site into a folder that is not there."""
    shutil.rmtree(work / "site", ignore_errors=True)
    return site_again(work, sizes)


def site_again(work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """Write the site over what is there."""
    from reports.publish import publish

    made = publish(work / "results", work / "site", VERSION)
    parts = {part.name: size_of(part) for part in sorted((work / "site").iterdir()) if part.is_dir()}
    return {"files": made.files, "written": made.written, "bytes": size_of(work / "site"), "folders": parts}


CALLED: dict[str, Callable[[Path, dict[str, int]], dict[str, Any]]] = {
    "records": records,
    "database": database,
    "one record": one_record,
    "board and models": board_and_models,
    "site": site,
    "site again": site_again,
}


def size_of(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(stage: str, work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """What a stage tells of itself, with its seconds and the peak of its memory; meant for a process of its own."""
    began = time.perf_counter()
    told = CALLED[stage](work, sizes)
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = {"seconds": time.perf_counter() - began, "process_seconds": used.ru_utime + used.ru_stime}
    return {**whole, **told, "peak_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)}


def in_a_process(stage: str, work: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """The same, in a process of its own; the last line that it prints is its answer."""
    told = [f"--{name}={value}" for name, value in sizes.items()]
    ran = subprocess.run(
        [sys.executable, __file__, "--work", str(work), "--stage", stage, *told], stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    return json.loads(ran.stdout.splitlines()[-1])


def missed(stages: dict[str, dict[str, Any]]) -> list[str]:
    """The bars that were not met, in words."""
    found = [
        f"{stage}: {stages[stage][what]:.2f} s, and the bar is {bar} s"
        for stage, (what, bar) in BARS.items()
        if stage in stages and stages[stage][what] > bar
    ]
    return found + [
        f"{stage}: {stages[stage]['peak_bytes'] / 2**20:.0f} MiB of memory, and the bar is {MEMORY_BAR / 2**20:.0f} MiB"
        for stage in MEMORY
        if stage in stages and stages[stage]["peak_bytes"] > MEMORY_BAR
    ]


def _told_before(path: Path | None, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the file of an earlier call says of the stages that this one leaves out."""
    if path is None or not path.is_file():
        return {}
    stages: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))["stages"]
    return {stage: stages[stage] for stage in wanted if stage in stages}


def main() -> None:
    """Run the stages, print them, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for results and site, kept")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--stage", choices=STAGES, help="this one alone, in this process")
    parser.add_argument(
        "--from", dest="first", choices=STAGES, default=STAGES[0], help="leave out the stages before it"
    )
    for name, value in SIZES.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = vars(parser.parse_args())
    sizes = {name: asked[name] for name in SIZES}
    work: Path = asked["work"]
    work.mkdir(parents=True, exist_ok=True)
    if asked["stage"]:
        print(json.dumps(measured(asked["stage"], work, sizes)))
        return
    place = STAGES.index(asked["first"])
    stages = _told_before(asked["out"], STAGES[:place])
    for stage in STAGES[place:]:
        stages[stage] = in_a_process(stage, work, sizes)
        print(f"{stage}: {json.dumps(stages[stage])}", flush=True)
    failed = missed(stages)
    if asked["out"]:
        about = {"of": sizes, "measured": datetime.now(UTC).strftime("%Y-%m-%d"), "python": platform.python_version()}
        document = {**about, "processor": processor_name(), "stages": stages, "bars missed": failed}
        asked["out"].write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print("\n".join(failed) or "every bar is met")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
