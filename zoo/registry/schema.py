"""The form of registry.yaml. A fact that no source states is absent, which means unknown.

Sources, protocols and benchmarks are named once and referred to; `zoo.registry.loader` resolves the references and
`zoo.registry.rules` holds the rules across entries.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.arch.dims import Architecture
from zoo.arch.parameters import Dtype
from zoo.arch.weight_bytes import Table
from zoo.registry.published import Benchmark, Protocol, ScoreTable, Source, Speed, Statement
from zoo.strict import Count, Slug, Strict, Text, Url, renamed

HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$", description="owner/name on the hub.")]
CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$", description="All 40 hex digits, from a named source.")]


class HubFiles(Strict):
    """What the repository holds, as a source says it. Absent is unknown: an evaluation then finds it out."""

    format: Literal["safetensors", "pickled", "nemo"] | None = Field(
        None,
        description="pickled: pytorch_model.bin alone, which is converted once; nemo: nothing that transformers reads.",
    )
    dtype: Dtype | None = Field(None, description="Of all weights, of a model that is not quantised.")
    hf_class: str | None = Field(None, description="The class that its config.json names, if not the architecture's.")
    remote_code: bool | None = Field(None, description="true: its config.json names code of its own (auto_map).")
    source: Slug


class Hub(Strict):
    """Where the weights are published. A revision needs the address that names it."""

    id: HubId
    revision: CommitId | None = None
    revision_source: Url | None = None
    gated: bool | None = None
    files: HubFiles | None = None


class Revision(Strict):
    """A version of the weights under one name."""

    note: Text
    commit: CommitId | None = None
    source: Slug


class Licence(Strict):
    """The licence as the source names it, and what it says about commercial use."""

    id: Text
    url: Url | None = None
    commercial: bool | None = None
    quote: Text | None = None
    source: Slug


class Selection(Strict):
    """What was measured to choose the shape; a score of a task used here was not blind to the choice."""

    method: Text
    tasks: tuple[Text, ...] = ()
    source: Slug


class TrainedOn(Strict):
    """Tasks whose own text the model was trained on; a score of one says what was learnt by heart as well."""

    tasks: Annotated[tuple[Text, ...], Field(min_length=1)]
    source: Slug
    note: Text | None = None


class Quantization(Strict):
    """Scheme and width of quantised weights; `kept` names what stays in 16 bits. What no source states is absent."""

    scheme: Text
    bits: Annotated[int, Field(ge=1, le=8)] | None = Field(
        None, description="Of a quantised weight. Absent where widths are mixed: a stated weight_bytes then counts."
    )
    kept: tuple[Table, ...] = ()
    group_size: Count | None = Field(
        None, description="Weights that share a scale; absent: scales are too few to count."
    )
    scale_bits: Count = Field(16, description="Bits of a group's scale, its zero point included.")
    activations: Literal["float8", "int8", "bfloat16"] | None = Field(
        None,
        description="What matrix products are computed in where the hardware can; absent: as the scheme's name says.",
    )
    kv_cache: Literal["float8", "int8"] | None = Field(None, description="Absent: the cache stays in 16 bits.")
    config: dict[str, Any] | None = Field(
        None, description="quantization_config of its config.json, as far as the source shows it."
    )


class Compression(Strict):
    """The axes that were cut, each with the parent's and the child's value."""

    kind: Literal["width", "depth", "width+depth"]
    axes: Annotated[dict[str, tuple[Count, Count]], Field(min_length=1)]


Relation = Literal["pruned", "distilled", "corrected", "instruct-tuned", "quantized"]


class Lineage(Strict):
    """What a model was made from and how. A parent outside the registry is named in words."""

    parent: Slug | None = None
    parent_elsewhere: Text | None = None
    teacher: Slug | None = None
    pruned: Slug | None = Field(
        None, description="Of a pruned and distilled model: the pruned-only one that was trained."
    )
    relation: Annotated[tuple[Relation, ...], Field(min_length=1)]
    compression: Compression | None = None
    selection: Selection | None = None
    trained_on: TrainedOn | None = None
    quantization: Quantization | None = None
    source: Slug
    note: Text | None = None


class Search(Strict):
    """Architecture search by short retraining: how many candidates got how many tokens each."""

    candidates: Count
    tokens_each: Count


class Tokens(Strict):
    """Training tokens by purpose; absent is unknown, not zero."""

    pretraining: Count | None = None
    teacher_correction: Count | None = Field(None, description="Spent on this model to make it a better teacher.")
    distillation: Count | None = None
    alignment: Count | None = None
    search: Search | None = None
    source: Slug
    note: Text | None = None


class Training(Strict):
    """The retraining run as published."""

    batch_size: Count | None = None
    sequence_length: Count | None = None
    flops_per_step: Count | None = None
    source: Slug
    note: Text | None = None


class Made(Strict):
    """How weights are made that are on no hub and do not ship; `eval FOLDER --name ID` runs what was made as this model."""

    by: Text = Field(description="What makes them, as the end of the sentence `its weights are made by …`.")
    source: Slug


class Claimed(Strict):
    """Hardware and precision that the publisher names."""

    engine: Text | None = None
    test_hardware: tuple[Text, ...] = ()
    microarchitectures: tuple[Text, ...] = ()
    dtypes: tuple[Text, ...] = ()
    source: Slug


GROUPS: dict[str, str] = {
    "minitron": "the Minitron models, and what was tuned or quantized from them",
    "parent": "what the Minitron models were pruned from",
    "hybrid": "Mamba-attention models of the same makers, and what was pruned from them",
    "baseline": "models that the Minitron papers and cards compare theirs with",
    "competitor": "models of that size that the cards leave out",
    "related": "pruned and distilled by others",
    "example": "a public model that an example prunes and distils on a laptop, and what comes of it",
    "nano": "trained by minizoo and shipped with it",
}
"""What the models of a group have in common."""

Group = Annotated[
    Literal["minitron", "parent", "hybrid", "baseline", "competitor", "related", "example", "nano"],
    renamed({"peer": "baseline", "rival": "competitor", "kin": "related"}),
]


SUITES = {"base": "paper", "instruct": "instruct", "reasoning": None}
"""Kind of model → its suite. A reasoning model thinks before it answers, and none of the suites is made for that."""


class Entry(Strict):
    """One model of registry.yaml."""

    display: Text
    group: Group
    kind: Literal["base", "instruct", "reasoning"]
    aliases: tuple[Text, ...] = ()
    hub: Hub | None = Field(None, description="Absent: no weights on the hub that a source names.")
    released: bool | None = Field(None, description="false: a source says that the weights are not public.")
    weights: Annotated[str, Field(pattern=r"^nano/weights/[a-z0-9-]+$")] | None = Field(
        None, description="Folder inside the zoo package, for models that ship with minizoo."
    )
    made: Made | None = Field(None, description="Of a model with neither hub nor weights: how everyone can make them.")
    revisions: dict[Slug, Revision] = Field(default_factory=dict[Slug, Revision])
    licence: Licence | None = None
    lineage: Lineage | None = None
    tokens: Tokens | None = None
    training: Training | None = None
    architecture: Architecture
    architecture_source: Slug
    parameters: Count | None = Field(None, description="Declared count; must equal the closed form to the unit.")
    stated: tuple[Statement, ...] = ()
    published: tuple[ScoreTable, ...] = ()
    speeds: tuple[Speed, ...] = ()
    claimed: Claimed | None = None
    default_suite: Literal["paper", "instruct", "nano"] | None = Field(
        None, description="Absent: that of its kind, paper for a base model and instruct for an instruct model."
    )
    notes: tuple[Text, ...] = ()

    @property
    def suite(self) -> str | None:
        """The suite that the model is evaluated by where nothing is said; None for one that has to be asked about."""
        return self.default_suite or SUITES[self.kind]


class ComparedEntry(Strict):
    """A row of a published table that is no model of this registry: scores and what the table says of its size."""

    display: Text
    parameters: Count | None = Field(None, description="As the table prints it.")
    pretraining_tokens: Count | None = None
    note: Text | None = None
    published: Annotated[tuple[ScoreTable, ...], Field(min_length=1)]


class RegistryFile(Strict):
    """A file of the registry: registry.yaml, or one that is added to it and has only the sections it uses."""

    schema_: Literal["minizoo.registry/1"] = Field(alias="schema")
    sources: dict[Slug, Source] = Field(default_factory=dict[Slug, Source])
    benchmarks: dict[str, Benchmark] = Field(default_factory=dict[str, Benchmark])
    protocols: dict[Slug, Protocol] = Field(default_factory=dict[Slug, Protocol])
    models: dict[Slug, Entry] = Field(default_factory=dict[Slug, Entry])
    compared: dict[Slug, ComparedEntry] = Field(default_factory=dict[Slug, ComparedEntry])


def json_schema() -> dict[str, Any]:
    """The JSON Schema of registry.yaml, for editors and for readers in other languages."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **RegistryFile.model_json_schema()}
