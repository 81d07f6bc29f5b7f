"""A baseline's bundle: the records and outcomes of one run in a zip whose every byte follows from the run.

`bundle.json` lists every other file with its digest; `<task>/record.json` is the record without a name of its machine,
`<task>/outcomes.parquet` its documents, `<task>/trials.parquet` the trials of a speed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Literal

from harness.baselines.chosen_run import ChosenRun
from harness.baselines.outcomes import outcomes_of
from harness.bundles.archive import packed
from harness.bundles.manifest import MANIFEST, BundleFile, digest_of, listed, rendered
from harness.bundles.private import Private, this_machine
from harness.records.files import folder_name
from harness.records.provenance import version_of
from zoo.strict import Frozen

SCHEMA = "minizoo.outcomes/1"
RECORD, OUTCOMES, TRIALS = "record.json", "outcomes.parquet", "trials.parquet"


class OutcomesManifest(Frozen):
    """What a baseline's bundle says of itself."""

    schema_version: Literal["minizoo.outcomes/1"] = SCHEMA
    run: str
    minizoo: str
    """The version that packed it."""
    files: tuple[BundleFile, ...]
    digest: str
    """sha256 over the canonical JSON of all other fields."""


def packed_run(run: ChosenRun) -> bytes:
    """The bundle of a run: the same run gives the same bytes. BaselineRefused where its samples cannot be read."""
    private = this_machine()
    for record, _ in run.records:
        private = private.with_host(record.setting.host)
    files = dict(sorted(_files(run, private).items()))
    unsealed = OutcomesManifest(
        run=run.run_id, minizoo=version_of("minizoo") or "unknown", files=listed(files), digest=""
    ).model_dump(mode="json")
    return packed({MANIFEST: rendered(unsealed | {"digest": digest_of(unsealed)}), **files})


def _files(run: ChosenRun, private: Private) -> Mapping[str, bytes]:
    files: dict[str, bytes] = {}
    for record, folder in run.records:
        shown = private.record(record)
        private.check(private.free_texts(shown))
        inside = folder_name(record.task)
        files[f"{inside}/{RECORD}"] = (shown.model_dump_json(indent=1) + "\n").encode()
        if (samples := folder / "samples.parquet").is_file():
            files[f"{inside}/{OUTCOMES}"] = _parquet(outcomes_of(samples))
        if (trials := folder / TRIALS).is_file():
            files[f"{inside}/{TRIALS}"] = trials.read_bytes()
    return files


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
