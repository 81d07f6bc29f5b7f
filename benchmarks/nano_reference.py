"""The records of reference in reports/published/reference: every model of the nano family on suite nano, each as a baseline.

python benchmarks/nano_reference.py [--by NAME]

To be run again, and committed, whenever the family or what it is measured with changes. Takes some two minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.baselines.accept import accept
from harness.baselines.read import read_outcomes
from harness.records.provenance import version_of
from zoo.registry.loader import load_registry

ROOT = Path(__file__).parents[1]
FILE = ROOT / "reports" / "published" / "reference" / "baselines.yaml"
SUITE = "nano"


def family() -> list[str]:
    """The nano models of the registry, in its order."""
    return [model.id for model in load_registry().models.values() if model.group == "nano"]


def evaluated(model: str, results: Path) -> str:
    """Evaluate a model on the suite by the command line and return its run's id; ends where it fails."""
    asked = ["eval", model, "--suite", SUITE, "--results", str(results), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "minizoo", *asked], stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        sys.exit(f"{model}: `minizoo {' '.join(asked)}` ended with {done.returncode}.")
    return json.loads(done.stdout)["records"][0]["run_id"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--by", default="the maintainers of minizoo", help="Who accepts them.")
    asked = parser.parse_args()
    reason = f"The nano family as it comes with minizoo {version_of('minizoo')}, on suite {SUITE}."
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for model in family():
            made = accept(Path(work), evaluated(model, Path(work)), FILE, reason, asked.by)
            outcomes = read_outcomes(made.baseline, FILE.parent)
            print(f"{model}: {len(outcomes)} tasks, {made.baseline.bytes:,} bytes, {made.baseline.bundle}")


if __name__ == "__main__":
    main()
