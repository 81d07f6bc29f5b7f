"""A finding of the papers as data: its sentence, which arms are held against each other, the margin, all fixed beforehand."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from zoo.strict import Slug, Strict, Text
from zoo.yaml_source import read_located, validated

FILE = Path(__file__).parent / "findings.yaml"
JUDGING = 1
"""Goes up with whatever changes a verdict of harness.findings.judge or a number of harness.findings.contrast."""
Unit = Literal["nats", "percent"]


class PaperFigure(Strict):
    """What the paper prints: in words and figures, and where."""

    says: Text
    source: Text
    place: Text


class Base(Strict):
    """What every finding has. `least_seeds`: fewer have no interval."""

    id: Slug
    sentence: Text
    paper: PaperFigure
    small_scale: Text = Field(description="What is another here, and what this size cannot show.")
    least_seeds: int = Field(3, ge=2)


class Contrast(Base):
    """Two arms: by how much `better` loses less than `worse` on held-out text, a seed at a time.

    superiority: the papers say that it loses less. no-worse: that it loses no more, to the margin. equivalent: that the two
    lose alike, to the margin. `unit` percent: of what `worse` loses.
    """

    kind: Literal["superiority", "no-worse", "equivalent"]
    better: Text
    worse: Text
    text: Literal["own", "shifted"] = "own"
    unit: Unit = "nats"
    margin: float = Field(gt=0)


class TokenRatio(Base):
    """Tokens from scratch over tokens pruned and distilled, until a model of one size has reached the same loss.

    The loss is the teacher's own, on held-out text, times 1 + `within`. more: the papers say that the factor is above 1.
    at-least: that it is `factor`. `margin` is the smallest factor that counts as a saving.
    """

    kind: Literal["more", "at-least"]
    distilled: tuple[Text, ...] = Field(min_length=2)
    scratch: tuple[Text, ...] = Field(min_length=2)
    within: float = Field(gt=0)
    factor: float = Field(1.0, ge=1)
    margin: float = Field(gt=1)


AnyFinding = Contrast | TokenRatio


class FindingsFile(Strict):
    """findings.yaml."""

    findings: tuple[Annotated[AnyFinding, Field(discriminator="kind")], ...] = Field(min_length=1)


@functools.cache
def load_findings(file: Path = FILE) -> tuple[AnyFinding, ...]:
    """The findings in the order of the file. Raises InvalidFile, with line and column, for what does not fit."""
    return validated(FindingsFile, read_located(file)).findings


def rules_digest() -> str:
    """Sixteen digits of what decides verdicts: contrasts, margins and the version of the judging, not the sentences."""
    rules = [each.model_dump(exclude={"sentence", "paper", "small_scale"}) for each in load_findings()]
    return hashlib.sha256(json.dumps([JUDGING, rules], sort_keys=True).encode()).hexdigest()[:16]
