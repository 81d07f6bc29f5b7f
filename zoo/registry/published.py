"""What others have published about a model, in the form that registry.yaml writes it: sources, protocols, scores."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.strict import Count, Slug, Strict, Text, Url

Unit = Literal["percent", "fraction", "points"]
Scale = Literal["raw", "chance_normalised"]

# The highest value a unit can have; the lowest is 0. MT-Bench is scored in points of 10.
UNIT_LIMIT: dict[Unit, float] = {"percent": 100.0, "fraction": 1.0, "points": 10.0}


class Source(Strict):
    """A document that states facts. A copy (`copy_of`) repeats another source and confirms nothing."""

    kind: Literal["paper", "model_card", "blog", "news", "config", "code", "leaderboard", "project", "files"]
    title: Text
    url: Url | None = None
    copy_of: Slug | None = None


class Benchmark(Strict):
    """Size and chance level of a task: how many items it has and what guessing scores, in percent."""

    items: Count | None = None
    chance: Annotated[float, Field(ge=0, lt=100)] | None = None
    real_valued: bool = Field(False, description="An item scores anything from 0 to 1 instead of right or wrong.")
    source: Slug


class PublishedDecoding(Strict):
    """How text was sampled for a generated score."""

    n: Count | None = Field(None, description="Samples a problem.")
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None


class OtherShots(Strict):
    """Another number of shots for the same measure, with the source that states it."""

    shots: Annotated[int, Field(ge=0)]
    source: Slug
    quote: Text


class Measure(Strict):
    """How one task of a protocol was scored. Absent metric, filter or shots: the source does not say."""

    task: Text | None = Field(None, description="The task, where the key is not its name.")
    metric: Text | None = None
    filter: Text | None = None
    shots: Annotated[int, Field(ge=0)] | None = None
    decoding: PublishedDecoding | None = None
    unit: Unit = "percent"
    scale: Scale = "raw"
    subset: Text | None = Field(None, description="The part of the test set, e.g. '20 % of test'.")
    contradicted_by: OtherShots | None = None


class Protocol(Strict):
    """How the scores of one kind of table were measured, as the source says."""

    source: Slug
    quote: Text | None = Field(None, description="The words of the source that state it.")
    note: Text | None = None
    measures: Annotated[dict[str, Measure], Field(min_length=1)]


class ScoreTable(Strict):
    """One source's scores of a model: key of the protocol's measures → the value as printed."""

    source: Slug
    protocol: Slug
    where: Text | None = Field(None, description="Table, section or row of the source.")
    quote: Text | None = Field(None, description="The source's own row or sentence.")
    revision: Slug | None = Field(None, description="Which of the model's `revisions` was measured.")
    values: Annotated[dict[str, float], Field(min_length=1)]


class Statement(Strict):
    """What a source states about a fact that the entry also holds; the linter compares the two at the printed precision."""

    source: Slug
    field: Text = Field(description="A dimension, or a field that zoo.registry.statements can compute.")
    value: Text = Field(description="As printed: '8.3B', '48', or a comma-separated list of axes.")
    where: Text | None = None
    quote: Text | None = None


class Speed(Strict):
    """A published speed-up over another model. `batch` and `against_batch` differ where the source did not hold it."""

    against: Slug
    ratio: Annotated[float, Field(gt=0)]
    metric: Text
    engine: Text
    gpu: Text
    dtype: Text
    batch: Count | None = None
    against_batch: Count | None = None
    source: Slug
    where: Text | None = None
    quote: Text | None = None
