"""What a row was measured on and who says so: the same words in every table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.cells import text

ORIGINS = {"measured": "measured here", "imported": "imported"}
NOBODY = "contributed, nobody named"


def who(row: Mapping[str, Any]) -> str:
    """Who measured it: this project, somebody who gave it in a bundle, or another tool."""
    source = text(row["source"])
    if source != "contributed":
        return ORIGINS.get(source, source)
    name = text(row["contributed_by"]).strip()
    return f"contributed by {name}" if name else NOBODY


def hardware(row: Mapping[str, Any]) -> str:
    """A GPU by its product name, with its compute capability where the row has it; else the processor, else the device."""
    gpu, capability = text(row["gpu"]), text(row.get("capability"))
    if gpu:
        return f"{gpu}, compute capability {capability}" if capability else gpu
    return text(row.get("processor")) or text(row["device"])
