"""The form of registry.yaml: what an entry may say. A fact that no source states is absent, which means unknown.

Sources and protocols are named once and referred to; `zoo.registry` resolves the references and
`zoo.integrity` holds the rules that reach across entries.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.dims import Architecture, Count, Strict

Text = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Safe in a path and a shell.")]
HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$", description="owner/name on the hub.")]
Url = Annotated[str, Field(pattern=r"^https://\S+$")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$", description="All 40 hex digits, from a named source.")]
Unit = Literal["percent", "fraction", "points"]
Scale = Literal["raw", "chance_normalised"]

# The highest value a unit can have; the lowest is 0. MT-Bench is scored in points of 10.
UNIT_LIMIT: dict[Unit, float] = {"percent": 100.0, "fraction": 1.0, "points": 10.0}


class Source(Strict):
    """A document that states facts. A copy (`copy_of`) repeats another source and confirms nothing."""

    kind: Literal["paper", "model_card", "blog", "news", "config", "leaderboard", "code", "reproduction", "project"]
    title: Text
    url: Url | None = None
    copy_of: Slug | None = None
    seen_in: Text | None = Field(None, description="Where the text was read, when not at the address itself.")


class Decoding(Strict):
    """How text was sampled for a generated score."""

    n: Count | None = Field(None, description="Samples a problem.")
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None


class Measure(Strict):
    """How one task of a protocol was scored. Absent metric, filter or shots: the source does not say."""

    metric: Text | None = None
    filter: Text | None = None
    shots: Annotated[int, Field(ge=0)] | None = None
    decoding: Decoding | None = None
    unit: Unit = "percent"
    scale: Scale = "raw"
    subset: Text | None = Field(None, description="The part of the test set, e.g. '20 % of test'.")


class Protocol(Strict):
    """How the scores of one table were measured, as its source says."""

    source: Slug
    quote: Text | None = Field(None, description="The words of the source that state it.")
    note: Text | None = None
    measures: Annotated[dict[str, Measure], Field(min_length=1)]


class ScoreTable(Strict):
    """One source's scores of a model: task → the value as printed."""

    source: Slug
    protocol: Slug
    where: Text | None = Field(None, description="Table, section or row of the source.")
    quote: Text | None = Field(None, description="The source's own row or sentence.")
    revision: Slug | None = Field(None, description="Which of the model's `revisions` was measured.")
    values: Annotated[dict[str, float], Field(min_length=1)]


class Hub(Strict):
    """Where the weights are published."""

    id: HubId
    revision: CommitId | None = None
    gated: bool | None = None


class Revision(Strict):
    """A version of the weights under one name."""

    note: Text
    commit: CommitId | None = None
    short_commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,39}$")] | None = None
    source: Slug


class Licence(Strict):
    """The licence as the source names it, and what it says about commercial use."""

    id: Text
    url: Url | None = None
    commercial: bool | None = None
    quote: Text | None = None
    source: Slug | None = None


class Selection(Strict):
    """What was measured to choose the shape; a score of a task used here was not blind to the choice."""

    method: Text
    tasks: tuple[Text, ...] = ()
    source: Slug


class Quantization(Strict):
    """Scheme and width of quantised weights."""

    scheme: Text
    bits: Literal[4, 8]
    weight_bytes: Count | None = None


class Compression(Strict):
    """The axes that were cut, each with the parent's and the child's value."""

    kind: Literal["width", "depth", "width+depth", "search"]
    axes: Annotated[dict[str, tuple[Count, Count]], Field(min_length=1)]


Relation = Literal["pruned", "distilled", "corrected", "instruct-tuned", "quantized"]


class Lineage(Strict):
    """What a model was made from and how."""

    parent: Slug
    teacher: Slug | None = None
    relation: Annotated[tuple[Relation, ...], Field(min_length=1)]
    compression: Compression | None = None
    selection: Selection | None = None
    quantization: Quantization | None = None
    source: Slug
    note: Text | None = None


class Tokens(Strict):
    """Training tokens by purpose; absent is unknown, not zero."""

    pretraining: Count | None = None
    teacher_correction: Count | None = None
    distillation: Count | None = None
    search: Count | None = None
    source: Slug
    note: Text | None = None


class Claimed(Strict):
    """Hardware and precision that the publisher names."""

    engine: Text | None = None
    test_hardware: tuple[Text, ...] = ()
    microarchitectures: tuple[Text, ...] = ()
    dtypes: tuple[Text, ...] = ()
    source: Slug


Group = Literal["minitron", "parent", "hybrid", "peer", "rival", "kin", "nano"]


class Entry(Strict):
    """One model of registry.yaml."""

    display: Text
    group: Group
    kind: Literal["base", "instruct", "reasoning"]
    aliases: tuple[Text, ...] = ()
    hub: Hub | None = Field(None, description="Absent: no public weights on the hub.")
    weights: Annotated[str, Field(pattern=r"^nano/weights/[a-z0-9-]+$")] | None = Field(
        None, description="Folder inside the zoo package, for models that ship with minizoo."
    )
    revisions: dict[Slug, Revision] = Field(default_factory=dict[Slug, Revision])
    licence: Licence | None = None
    lineage: Lineage | None = None
    tokens: Tokens | None = None
    architecture: Architecture
    architecture_source: Slug
    parameters: Count | None = Field(None, description="Declared count; must equal the closed form to the unit.")
    published: tuple[ScoreTable, ...] = ()
    claimed: Claimed | None = None
    default_suite: Literal["paper", "nano"] = "paper"
    notes: tuple[Text, ...] = ()


class RegistryFile(Strict):
    """The whole of registry.yaml."""

    schema_: Literal["minizoo.registry/1"] = Field(alias="schema")
    sources: dict[Slug, Source]
    protocols: dict[Slug, Protocol] = Field(default_factory=dict[Slug, Protocol])
    models: dict[Slug, Entry]
