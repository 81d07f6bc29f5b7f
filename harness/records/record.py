"""The immutable record that each finished task leaves: what was run, where, and the numbers that came of it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from harness.records.beside_record import BesideFacts
from harness.records.speed_record import SpeedFacts
from harness.stats.finite_sample import draws_sd
from harness.stats.sufficient import DecodingNoise, Statistics
from zoo.strict import Frozen

SCHEMA = "minizoo.record/2"
WITHHELD = "withheld"
"""In the place of a name that was taken out before a record left its machine; the host's of every such record."""
Status = Literal["ok", "unverified", "failed", "infra_failed"]
"""`unverified`: there are scores, by a backend that failed conformance for such a model."""
SCORED: frozenset[Status] = frozenset({"ok", "unverified"})
"""Of records that have scores."""
Finite = Annotated[float | None, AfterValidator(lambda value: value if value is None or math.isfinite(value) else None)]
"""A number, or None for one that is NaN or infinite: JSON has no word for those, and no table or page shows them."""


def precision(dtype: str, compute_dtype: str | None) -> str:
    """The dtype of the weights, and that of the products where it is another."""
    return dtype if compute_dtype in (None, dtype) else f"{dtype} weights, {compute_dtype} products"


class MetricScore(Frozen):
    """One number of a task, in the metric's own unit as lm-eval prints it (accuracies 0–1). Its error is derived, not kept."""

    metric: str
    filter: str
    value: Finite
    n: int
    higher_is_better: bool | None
    """None where the task does not say and lm-eval does not know the metric."""
    chance: Finite
    """What guessing would score; None where that is unknown or means nothing."""
    clusters: int | None = None
    """Independent units that the n documents form, where several share one."""
    total: int | None = None
    """Documents of the whole task, of which n were chosen; None where n does not count documents."""
    statistics: Statistics | None = None
    """What the standard error and the interval are derived from (`harness.records.derived`); None where none can be given."""
    noise: DecodingNoise | None = None
    """Of sampled answers: what the part of the error that comes from sampling them is derived from."""
    draws: tuple[float, ...] = ()
    """The value with each draw of few-shot examples, lm-eval's own first; empty where one draw was run."""

    @property
    def draws_sd(self) -> float | None:
        """Standard deviation over the draws; None for one draw."""
        return draws_sd(self.draws)


class Counts(Frozen):
    """How much work a task was."""

    documents: int
    documents_total: int
    requests: int
    tokens: int
    truncated: int
    """Requests that lost tokens on the left to fit the context."""
    reused: int
    """Requests answered before the run was interrupted, and not computed again."""


class Work(Frozen):
    """What a task cost to compute, in the process that recorded it: what an interrupted run left is in none of these numbers.

    The time that passes before an answer belongs to its task; what passes before several that arrive together, to each by its
    tokens. Tasks whose generations ran side by side share their time likewise.
    """

    asked_tokens: int = 0
    """Tokens of its score requests."""
    computed_tokens: int = 0
    """Those left where shared prefixes are computed once; as many as asked where the backend shares none."""
    scoring_s: float = 0.0
    new_tokens: int = 0
    """Tokens generated."""
    generating_s: float = 0.0
    """With the prompts' prefill."""
    flops_per_token: int | None = None
    """Of one token without context, by the model's dimensions; None where they have no closed form."""


class Weights(Frozen):
    """A checkpoint by its name and the digest of its weights, as `Subject.weights_digest` counts it."""

    name: str
    digest: str


class Distilled(Frozen):
    """What the minizoo.json of a distilled folder says of where it came from."""

    student: Weights
    """The checkpoint as it was before its training."""
    teacher: Weights
    trained_on: tuple[str, ...] = ()
    """Tasks of which documents stand in the text that it was trained on."""


class Subject(Frozen):
    """What was measured: the model as it was resolved."""

    id: str
    """The registry id, the hub id, or of a folder its own name: see `kind`."""
    source: str
    """Hub id, folder (absolute), or `minizoo` for weights that come with it."""
    revision: str | None
    weights_digest: str
    """What a local model is: two folders of one name are one model only where this is equal."""
    tokenizer_digest: str
    entry: dict[str, Any] | None
    """The registry entry as it stood; None for a model that has none."""
    kind: Literal["registry", "hub", "folder"] | None = None
    """How the user's word was resolved; None in records of before 0.2 and in imported ones."""
    name: str | None = None
    """The name that the user gave a local model (`--name`)."""
    parent: str | None = None
    """The model that it was made from, where lineage, `--parent` or its own minizoo.json says so."""
    distilled: Distilled | None = None
    """Of a folder that `minizoo distill` made; None for any other model, and in records of before it was kept."""
    renamed_to: str | None = None
    """What the hub called it when it was fetched, where that is another id than was asked for (`source`)."""
    converted_from: str | None = None
    """Of weights that came pickled (pytorch_model.bin): sha256 over the names and bytes of those files, where `weights_digest`
    is of the safetensors that were run."""


class Setting(Frozen):
    """Where and how it was measured."""

    backend: str
    device: str
    dtype: str
    """What the weights are held in."""
    gpu: str | None
    driver: str | None
    host: str
    platform: str
    versions: dict[str, str]
    git_sha: str | None
    seed: int | None
    """None where an imported file does not tell."""
    command: str
    compute_dtype: str | None = None
    """What the layers' matrix products are computed in; None where nobody says (records of before it was kept, imported
    ones, backends that do not tell)."""
    processor: str | None = None
    """The host's processor by its product name, with the threads that computed on it where the device is the CPU."""

    @property
    def precision(self) -> str:
        """Both dtypes in words."""
        return precision(self.dtype, self.compute_dtype)


class Conformance(Frozen):
    """What was known of the backend, when the task was scored: whether it gives right numbers for such a model."""

    state: Literal["passed", "failed", "unchecked"]
    source: Literal["shipped", "measured"] | None = None
    """Whether the outcome comes with minizoo or was measured into these results; None where nothing was asked."""
    digest: str | None = None
    """sha256 of the outcome (`harness.conformance`)."""
    depth: Literal["full", "short"] | None = None
    key: dict[str, str] = Field(default={})
    """What the outcome covers: backend, engine, device, dtype, architecture."""
    failed: tuple[str, ...] = ()
    """Names of the checks that found a fault."""
    reason: str | None = None
    """Why nothing is known, where that is so."""


class Imported(Frozen):
    """Where an imported record was read."""

    tool: str
    tool_version: str | None
    file: str
    """The file's name, without its folder."""
    sha256: str
    time: Literal["stated", "file"]
    """Whether the record's times are those that the file states (UTC where it names no zone) or its modification time."""
    rest: dict[str, Any] = Field(default={})
    """What else the file says, as plain values by dotted name."""


class Contribution(Frozen):
    """Who gave a record that was measured elsewhere, and in which bundle (`harness.bundles`)."""

    by: str | None
    """As the bundle says, which nobody has checked; None where it names nobody."""
    file: str
    """The bundle's file name, without its folder."""
    sha256: str
    """Of the bundle's file."""


class Record(Frozen):
    """Everything about one task of one run."""

    schema_version: str = SCHEMA
    run_id: str
    task: str
    status: Status
    reason: str | None = None
    """Why it failed or is unverified, or which metrics have no finite value, in one sentence; None when nothing is so."""
    code: str | None = None
    """The cause's code (docs/errors.md); None for a success."""
    suite: str
    resolved_suite: dict[str, Any]
    task_version: str
    task_digest: str
    shots: int | None
    limit: int | None
    overflow: str
    members: tuple[str, ...] = ()
    """The leaf tasks of a group; empty for a task."""
    decoding: dict[str, Any] | None = None
    """Samples a document, temperature (0 is greedy) and top-p of a task that generates text."""
    isolation: str | None = None
    """How generated code was kept apart, where a task runs any."""
    code_packages: dict[str, str] | None = None
    """What that code could import beside the standard library: name → version, or why not; None where a task runs none."""
    chat_template: str | None = None
    """sha256 of the chat template that prompts went through, as lm-eval's `chat_template_sha`; None for plain text."""
    context: int | None = None
    """Tokens that the model was taken to attend to; None in records of before 0.3 and in imported ones."""
    context_assumed: str | None = None
    """Where config.json states no context: what was taken instead, in words."""
    started_at: datetime
    """When the answer before this task's first one was there, or the run began to compute, for all tasks are one schedule; of a
    group, its first leaf's. Where `run_started_at` is None: when the run began, or the speed point."""
    finished_at: datetime
    run_started_at: datetime | None = None
    """When the process that recorded it began this run; None in records of before it was kept, of speed and imported."""
    wall_s: float | None = None
    """Seconds from start to finish by a steady clock, judging included; without the time between an interrupted run and its
    resumption, and of a task that was resumed inside without what was answered before (`counts.reused`)."""
    subject: Subject
    setting: Setting
    conformance: Conformance | None = None
    """Of accuracy; None in records of before it was kept, which are `unchecked`, of speed and imported."""
    counts: Counts | None
    work: Work | None = None
    """None where nothing was computed, of a failure, and in records of before it was kept."""
    scores: tuple[MetricScore, ...] = ()
    source: Literal["measured", "imported", "contributed"] = "measured"
    """`contributed`: by minizoo on another's machine, who gave it in a bundle."""
    imported: Imported | None = None
    """Of an imported record; None for what minizoo measured."""
    contribution: Contribution | None = None
    """Of a contributed record."""
    speed: SpeedFacts | None = None
    """Of a speed measurement; None for accuracy. A point's `task` is the workload's name and the point's."""
    beside: BesideFacts | None = None
    """Of scoring beside another engine; its `task` is `scoring.` and the task's name."""

    @property
    def standing(self) -> Literal["passed", "failed", "unchecked"] | None:
        """What is known of the backend of an accuracy record; None of speed, and of what minizoo did not compute."""
        if self.speed is not None or self.beside is not None or self.source == "imported":
            return None
        return self.conformance.state if self.conformance else "unchecked"

    @property
    def seconds(self) -> float | None:
        """Wall time of the task, or of the speed point; None where the record does not tell."""
        if self.speed is not None and self.source != "imported":
            return (self.finished_at - self.started_at).total_seconds()
        return self.wall_s
