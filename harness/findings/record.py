"""The record of an experiment: every arm's loss a seed, every finding's number a seed, what it cost. Verdicts are derived."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from harness.findings.contrast import Bound, Paired, Pairs, SeedArms, pairs_of
from harness.findings.finding import load_findings
from harness.findings.judge import Judged, judge
from harness.processor import processor_name
from zoo.errors import InvalidFile, one_line
from zoo.reproduce.scale import Scale
from zoo.strict import Frozen


class ArmRow(Frozen):
    """One arm over all seeds. `losses`: text → seed → nats a token of held-out text."""

    name: str
    parameters: int
    tokens: int
    losses: dict[str, dict[int, float]]
    cpu_seconds: float = Field(description="Of all seeds together.")
    diverged: dict[int, str] = Field(default_factory=dict)


class PairRow(Frozen):
    """A finding's number of one seed (harness.findings.contrast.Paired)."""

    seed: int
    value: float
    by_documents: float | None = None
    bound: Bound = ""


class FindingRow(Frozen):
    """A finding's numbers over the seeds, and what no number was made of."""

    pairs: tuple[PairRow, ...]
    left_out: tuple[str, ...] = ()


class FindingsRecord(Frozen):
    """One experiment, as it is kept and committed; small, without any document."""

    schema_: Literal["minizoo.findings/1"] = Field("minizoo.findings/1", alias="schema")
    finished_at: str
    scale: dict[str, Any]
    scale_digest: str
    rules: str = Field(description="Digest of margins and rules as they were when the experiment began.")
    seeds: tuple[int, ...]
    whole_seeds: int
    arms: tuple[ArmRow, ...]
    findings: dict[str, FindingRow]
    cpu_seconds: float
    processor: str | None
    versions: dict[str, str]

    def text(self) -> str:
        """The record as JSON, a few hundred lines."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def record_of(scale: Scale, seeds: Mapping[int, SeedArms], names: Sequence[str], rules: str) -> FindingsRecord:
    """The record of these seeds; `names` are the results of a whole one, `rules` the digest that the experiment began with."""
    return FindingsRecord(
        schema="minizoo.findings/1",  # pyright: ignore[reportCallIssue] (an alias)
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        scale=asdict(scale),
        scale_digest=scale.digest,
        rules=rules,
        seeds=tuple(sorted(seeds)),
        whole_seeds=sum(all(name in arms for name in names) for arms in seeds.values()),
        arms=tuple(_arm(name, seeds) for name in names if any(name in arms for arms in seeds.values())),
        findings={finding.id: _row(pairs_of(finding, seeds)) for finding in load_findings()},
        cpu_seconds=round(sum(arm.cpu_seconds for arms in seeds.values() for arm in arms.values()), 1),
        processor=processor_name(),
        versions={"python": platform.python_version(), **{name: version(name) for name in ("torch", "transformers")}},
    )


def judged_of(record: FindingsRecord) -> list[Judged]:
    """The verdict on every finding, in the order of findings.yaml, by the numbers that the record has."""
    return [judge(finding, _pairs(record.findings.get(finding.id))) for finding in load_findings()]


def read_record(path: Path) -> FindingsRecord | None:
    """The record of a file; None where there is none. Raises InvalidFile for one that is broken or of another form."""
    try:
        return FindingsRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise InvalidFile(
            f"{path} is no record of findings ({one_line(error)[:200]}).", "Remove it; the next run writes it again."
        ) from None


def _arm(name: str, seeds: Mapping[int, SeedArms]) -> ArmRow:
    results = {seed: arms[name] for seed, arms in seeds.items() if name in arms}
    losses: dict[str, dict[int, float]] = {}
    for seed, result in results.items():
        for text, found in result.losses.items():
            losses.setdefault(text, {})[seed] = round(found.mean, 6)
    return ArmRow(
        name=name,
        parameters=max(result.parameters for result in results.values()),
        tokens=max(result.tokens for result in results.values()),
        losses=losses,
        cpu_seconds=round(sum(result.cpu_seconds for result in results.values()), 1),
        diverged={seed: result.diverged for seed, result in results.items() if result.diverged is not None},
    )


def _row(pairs: Pairs) -> FindingRow:
    return FindingRow(pairs=tuple(PairRow(**asdict(each)) for each in pairs.found), left_out=pairs.left_out)


def _pairs(row: FindingRow | None) -> Pairs:
    if row is None:
        return Pairs((), ("the record was made before this finding was added",))
    return Pairs(
        tuple(Paired(each.seed, each.value, each.by_documents, each.bound) for each in row.pairs), row.left_out
    )
