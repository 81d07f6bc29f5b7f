"""What the site is made from where nobody has measured anything yet: the records and bundles that lie in the checkout."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import NotWritable

PUBLISHED = Path(__file__).parents[1] / "published"
"""Not in an installed package, which has the registry alone."""


@dataclass(frozen=True)
class Committed:
    """How much there was."""

    runs: int
    bundles: int


def copy_committed(results: Path, published: Path = PUBLISHED) -> Committed:
    """Copy the committed records into a results folder and import the bundles beside them.

    Raises what `minizoo import` does for a bundle that cannot be taken, NotWritable for the folder.
    """
    records, bundles = published / "records" / "runs", sorted(published.glob("*.zip"))
    try:
        (results / "runs").mkdir(parents=True, exist_ok=True)
        if records.is_dir():
            shutil.copytree(records, results / "runs", dirs_exist_ok=True)
    except OSError as error:
        raise NotWritable(
            f"The committed records cannot be copied to {results}: {error.strerror or error}.",
            "Free some space, or set TMPDIR to a folder that has it.",
        ) from error
    if bundles:
        from harness.bundles.take import take

        take(bundles, results)
    return Committed(sum(1 for _ in (results / "runs").glob("*/*")), len(bundles))
