"""Predicted latencies of a search's candidates against `minizoo bench` of three of them, on this machine's processor.

python benchmarks/search_latency.py [--parent nano-teacher] [--share 60%] [--batch 1] [--context 256]

The search times layers of the candidates' widths (the slope of N against 2N layers of drawn weights); bench runs each of the
three whole, drawn weights too, in processes of its own, so that the two share nothing but the shape. Errors are of the median
of several processes, whose least and most stand beside, for steps of a tenth of a millisecond are another in each. Two errors
are told: of the time of the candidate's own widths, and of the time that the other widths predict.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from backends.contract import Options
from backends.random.config import config_of_dims
from harness.speed.layer_times import layer_measurer
from zoo.arch.dims import Dense
from zoo.checkpoint.model_ref import resolve
from zoo.search.budget import parse_budget
from zoo.search.latency import Load, MeasuredLayers, widths_of
from zoo.search.planning import Timing, plan_search
from zoo.search.request import SearchRequest

CANDIDATES = 3
PROCESSES = 5
"""Of bench, a candidate."""
OUTPUT = 64
"""Tokens that bench generates; its prompts are as long as leaves the context in the middle."""


def benched(dims: Dense, load: Load, work: Path, name: str) -> list[float]:
    """The median time between tokens by `minizoo bench`, in seconds, of each of its processes, the least first."""
    folder = work / name
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config_of_dims(dims, name).to_dict(), default=str))
    workload = work / f"{name}.yaml"
    shape = {"input": max(1, load.context - OUTPUT // 2), "output": OUTPUT}
    asked = {"name": "search", "description": "A decode step.", "shapes": [shape], "batches": [load.batch]}
    workload.write_text(json.dumps(asked))
    words = [
        "bench",
        str(folder),
        "--weights",
        "random",
        "--device",
        "cpu",
        "--workload",
        str(workload),
        "--even-if-busy",
    ]
    command = [sys.executable, "-m", "minizoo", *words, "--json"]
    return sorted(_median([*command, "--results", str(work / f"{name}-{run}")]) for run in range(PROCESSES))


def _median(command: list[str]) -> float:
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    metrics = {(each["metric"], each["statistic"]): each["value"] for each in told["records"][0]["speed"]["statistics"]}
    return float(metrics["itl", "p50"])


def predicted_by_others(times: MeasuredLayers, dims: Dense) -> float:
    """What the other widths say of this one."""
    others = MeasuredLayers(times.measure, times.load)
    others.times = {widths: each for widths, each in times.times.items() if widths != widths_of(dims)}
    others.time(known for widths, known in times.dims.items() if widths in others.times)
    return others.seconds(dims)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parent", default="nano-teacher")
    parser.add_argument("--share", default="60%")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--context", type=int, default=256)
    asked = parser.parse_args()
    budget = parse_budget(f"latency={asked.share}@cpu:batch={asked.batch},context={asked.context}")
    request = SearchRequest(asked.parent, budget, candidates=CANDIDATES)
    parent = resolve(asked.parent).dense_dims
    timing = Timing(measurer=lambda _gpu: layer_measurer(Options("cpu", "auto")))
    planned = plan_search(request, parent, timing, print)
    times = planned.costs.times
    assert isinstance(times, MeasuredLayers), "a latency on this processor is measured"
    print(f"{len(planned.within)} shapes within the budget; {planned.costs.told}")
    print(
        f"{'shape':44} {'bench':>10} {'of processes':>20} {'measured':>10} {'error':>7} {'predicted':>10} {'error':>7}"
    )
    errors: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, each in enumerate(planned.tried, 1):
            dims = each.shape.of(parent)
            runs = benched(dims, times.load, Path(folder), f"candidate-{number}")
            truth, span = statistics.median(runs), f"{runs[0] * 1e6:.1f} to {runs[-1] * 1e6:.1f}µs"
            found = times.seconds(dims), predicted_by_others(times, dims)
            off = [one / truth - 1 for one in found]
            errors += [abs(off[0])]
            cells = " ".join(f"{one * 1e6:8.1f}µs {error:+7.1%}" for one, error in zip(found, off, strict=True))
            print(f"{each.shape.words:44} {truth * 1e6:8.1f}µs {span:>20} {cells}")
    print(f"mean error of what was measured: {sum(errors) / len(errors):.1%}")


if __name__ == "__main__":
    main()
