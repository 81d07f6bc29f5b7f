"""The records in reports/published/records, from which the published site is made where nothing else was measured.

python benchmarks/published_records.py
python benchmarks/published_records.py --results smollm2/results

Every model of the nano family on suite nano; of SmolLM2-135M, its pruned and its distilled child what `examples/smollm2/run.py`
left in its results. Names of the machine and its user are taken out as from a bundle. Of benchmarks' data nothing is
kept but hashes: prompts, choices and targets of all tasks but the nano family's own, which minizoo generates, are left out.

What was there of the same models is replaced. The nano family takes five minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.bundles.private import check_private, this_machine, withheld
from harness.records.files import read_record, write_record
from harness.records.record import Record
from harness.store.scan import scan
from zoo.registry.loader import load_registry

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "reports" / "published" / "records"
DATA_COLUMNS = ("prompt", "choices", "target")
"""Of samples: what is a benchmark's own text."""


def evaluated(work: Path, *arguments: str) -> None:
    """Evaluate by the command line into `results` below that folder, as the record's command says; ends where it fails."""
    asked = ["eval", *arguments]
    done = subprocess.run([sys.executable, "-m", "minizoo", *asked], stdout=subprocess.DEVNULL, cwd=work, check=False)
    if done.returncode:
        sys.exit(f"`minizoo {' '.join(asked)}` ended with {done.returncode}.")


def without_data(table: pa.Table) -> pa.Table:
    """The samples with nulls in place of a benchmark's texts."""
    for name in set(DATA_COLUMNS) & set(table.column_names):
        at = table.column_names.index(name)
        table = table.set_column(at, table.schema.field(at), pa.nulls(len(table), table.schema.field(at).type))
    return table


def keep(record: Record, folder: Path) -> int:
    """Write a record without private names beside the others, with its samples; returns their bytes."""
    shown = withheld(record)
    check_private(this_machine().free_texts(shown))
    samples = folder / "samples.parquet"
    table = pq.read_table(samples) if samples.is_file() else None
    if table is not None and record.suite != "nano":
        table = without_data(table)
    rows = [] if table is None else table.to_pylist()
    written = write_record(KEPT, shown, rows)
    return sum(file.stat().st_size for file in written.iterdir())


def remove(models: set[str]) -> None:
    """Take away the runs of these models."""
    for run in scan(KEPT) if KEPT.is_dir() else []:
        if any(_name(read_record(path)) in models for path in run.records):
            shutil.rmtree(run.folder)


def _name(record: Record) -> str:
    return record.subject.name or record.subject.id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="A results folder to take the runs from, in place of new ones.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        results = asked.results or Path(work) / "results"
        if asked.results is None:
            for model in [model.id for model in load_registry().models.values() if model.group == "nano"]:
                evaluated(Path(work), model, "--suite", "nano")
        found = [(read_record(path), path.parent) for run in scan(results) for path in run.records]
        remove({_name(record) for record, _ in found})
        sizes = {f"{_name(record)} {record.task}": keep(record, folder) for record, folder in found}
    print(json.dumps({**sizes, "all": sum(sizes.values())}, indent=1))


if __name__ == "__main__":
    main()
