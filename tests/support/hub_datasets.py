"""The data sets of the tests' mirror as the hub has them: Parquet files by configuration; XL-Sum a script beside its export."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from support.hub_repository import EXPORT, Content, Repository

SCRIPT = b"raise SystemExit('a data set script ran')\n"
SCRIPTS = {"csebuetnlp/xlsum"}
"""Data sets that are a script on the hub."""


def hub_datasets(mirror: Path, only: set[str] | None = None) -> list[Repository]:
    """Every data set of a mirror as a repository of the emulated hub, or `only` those."""
    found: dict[str, dict[str, dict[str, Path]]] = {}
    for path in sorted(mirror.glob("*/*/*/*.jsonl")):
        owner, name, config = path.relative_to(mirror).parts[:3]
        found.setdefault(f"{owner}/{name}", {}).setdefault(config, {})[path.stem] = path
    return [_repository(id, configs) for id, configs in found.items() if only is None or id in only]


def _repository(id: str, configs: dict[str, dict[str, Path]]) -> Repository:
    tables = {config: as_parquet(splits) for config, splits in configs.items()}
    if id in SCRIPTS:
        export: dict[str, Content] = {
            f"{config}/{split}/0000.parquet": content
            for config, splits in tables.items()
            for split, content in splits.items()
        }
        script: dict[str, Content] = {f"{id.split('/')[1]}.py": SCRIPT, "README.md": b"---\nlicense: cc-by-4.0\n---\n"}
        return Repository(id, script, "datasets", revisions={EXPORT: export}, card={"license": "cc-by-4.0"})
    files: dict[str, Content] = {"README.md": _card(configs).encode()}
    for config, splits in tables.items():
        files |= {_place(config, split): content for split, content in splits.items()}
    return Repository(id, files, "datasets")


def _place(config: str, split: str) -> str:
    return f"{config}/{split}-00000-of-00001.parquet"


def _card(configs: dict[str, dict[str, Path]]) -> str:
    """The README whose first lines say which files each configuration has."""
    told = [
        {"config_name": config, "data_files": [{"split": split, "path": _place(config, split)} for split in splits]}
        for config, splits in configs.items()
    ]
    return f"---\nconfigs: {json.dumps(told)}\n---\nServed by a test.\n"


def as_parquet(splits: dict[str, Path]) -> dict[str, bytes]:
    """The rows of a configuration's JSON-lines files as Parquet files of one schema."""
    rows = {
        split: [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
        for split, path in splits.items()
    }
    schema = pa.Table.from_pylist([row for listed in rows.values() for row in listed]).schema
    return {split: _parquet(pa.Table.from_pylist(listed, schema)) for split, listed in rows.items()}


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()
