"""The folder of an experiment: which one it is, its seeds, what they left, and the record that is made of all of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.findings.contrast import SeedArms
from harness.findings.finding import rules_digest
from zoo.errors import OtherRun
from zoo.files import check_writable, json_object, write_atomically
from zoo.reproduce.arms import planned_tokens
from zoo.reproduce.record import read_result
from zoo.reproduce.scale import NANO, Scale

MARK, RECORD = "experiment.json", "findings.json"
SEED = re.compile(r"seed-(\d{3,})")
NAMES = tuple(planned_tokens(NANO))
"""The results of a whole seed."""


@dataclass(frozen=True)
class ExperimentFolder:
    """`path` holds experiment.json, findings.json and a folder a seed."""

    path: Path
    scale: Scale

    def open(self) -> None:
        """Make the folder, or see that it is of this experiment. Raises OtherRun for another one's, NotWritable."""
        check_writable(self.path)
        found = json_object(self.path / MARK)
        if found and found.get("digest") != self.scale.digest:
            raise OtherRun(
                f"{self.path} holds seeds of another experiment ({found.get('scale', {}).get('name', 'unknown')}, of other "
                "settings or of another version of minizoo), which are not to be mixed with these.",
                "Give another --out, or remove it.",
            )
        if not found:
            told = {"digest": self.scale.digest, "scale": asdict(self.scale), "rules": rules_digest()}
            write_atomically(self.path / MARK, (json.dumps(told, indent=1) + "\n").encode())

    @property
    def rules(self) -> str:
        """The digest of margins and rules as they were when the experiment began."""
        return str(json_object(self.path / MARK).get("rules", ""))

    def seed(self, number: int) -> Path:
        """Where a seed's arms are."""
        return self.path / f"seed-{number:03d}"

    def arms(self, number: int) -> SeedArms:
        """What a seed has left so far, by name."""
        found = {name: read_result(self.seed(number), name, self.scale.digest) for name in NAMES}
        return {name: result for name, result in found.items() if result is not None}

    def seeds(self) -> dict[int, SeedArms]:
        """Every seed that has left anything, by its number."""
        numbers = sorted(int(match[1]) for each in self.path.glob("seed-*") if (match := SEED.fullmatch(each.name)))
        found = {number: self.arms(number) for number in numbers}
        return {number: arms for number, arms in found.items() if arms}
