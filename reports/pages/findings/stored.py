"""Which record the write-up is of: that of the results folder, else the one that is committed."""

from __future__ import annotations

from pathlib import Path

from harness.findings.folder import RECORD
from harness.findings.record import FindingsRecord, read_record
from reports.site.committed import PUBLISHED

SCALE = "nano"
COMMITTED = PUBLISHED / "findings" / f"{SCALE}.json"


def stored_record(results: Path, committed: Path = COMMITTED) -> FindingsRecord | None:
    """The record of `minizoo claims --reproduce nano`; None where there is none. Raises InvalidFile for a broken one."""
    return read_record(results / "findings" / SCALE / RECORD) or read_record(committed)
