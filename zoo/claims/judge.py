"""Sentences of model cards and news, recomputed from the registry. zoo/claims/claims.yaml holds them with their formulas,
which take their inputs from the registry's entries; no number of an answer is in code.

Verdicts follow from the numbers. The first step is the claim itself: if it disagrees the claim is `contradicted`.
If it agrees but a later step that `counts` does not, or the claim carries a caveat, it `holds with a caveat`.
Where only a run can tell, it `needs a measurement`, and says by which command. Once the store's verdict on a measured
score is `reproduced` or `differs`, it is contradicted if all differ, and has a caveat if some do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from zoo.arch.parameters import Dtype, count_parameters
from zoo.arch.roofline import decode_bytes
from zoo.claims.analyses import Analysis, ClaimStep, Measurements, run_analysis
from zoo.claims.formula import FormulaError, evaluate
from zoo.errors import InputError, InvalidRegistry
from zoo.names import closest
from zoo.registry.loader import Registry
from zoo.strict import Count, Slug, Strict, Text
from zoo.yaml_nodes import YamlPath
from zoo.yaml_source import Located, read_located, validated

ClaimVerdict = Literal["holds", "holds with a caveat", "contradicted", "needs a measurement"]
Printed = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$", description="The claim's number as it prints it.")]


class Of(Strict):
    """A model's fact by its dotted name: `parameters`, `tokens.distillation`, `speeds.0.ratio`."""

    of: Slug
    field: Text


class ScoreOf(Strict):
    """A model's published score of a task in one source."""

    of: Slug
    task: Text
    source: Slug


class BytesOf(Strict):
    """Bytes that one decode step of a model reads."""

    of: Slug
    batch: Count
    context: Count
    dtype: Dtype


class BenchmarkFact(Strict):
    """A benchmark's chance level or number of items."""

    benchmark: Text
    field: Literal["chance", "items"]


class ClaimNumber(Strict):
    """The number that another claim states."""

    claim: Slug


Input = float | Of | ScoreOf | BytesOf | BenchmarkFact | ClaimNumber


class FormulaStep(Strict):
    """One number: what it is, and how it is computed from the inputs and from what stands before it."""

    label: Text
    formula: Text
    says: Printed | None = None
    unit: str | None = None
    counts: bool = Field(False, description="If this differs, the claim holds with a caveat only.")


class Claim(Strict):
    """A checkable sentence."""

    quote: Text
    sources: Annotated[tuple[Slug, ...], Field(min_length=1)]
    says: Printed | None = None
    unit: str = ""
    inputs: dict[str, Input] = Field(default_factory=dict[str, Input])
    let: dict[str, Text] = Field(default_factory=dict[str, Text], description="Named intermediate formulas.")
    steps: tuple[FormulaStep, ...] = ()
    analysis: Analysis | None = None
    caveat: Text | None = None
    measure: Text | None = Field(None, description="The command that would settle it; then no arithmetic can.")


class ClaimsFile(Strict):
    """The whole of claims.yaml."""

    schema_: Literal["minizoo.claims/1"] = Field(alias="schema")
    claims: dict[Slug, Claim]


@dataclass(frozen=True)
class Judged:
    """A claim with its numbers and its verdict. `inputs` are the numbers that the formulas took."""

    id: str
    quote: str
    sources: tuple[str, ...]
    verdict: ClaimVerdict
    says: str | None
    unit: str
    inputs: Mapping[str, float]
    steps: tuple[ClaimStep, ...]
    caveat: str | None
    measure: str | None


def judge_claims(registry: Registry, measured: Measurements | None = None, path: Path | None = None) -> list[Judged]:
    """Recompute every claim of claims.yaml (or of `path`), in its order.

    `measured(model, score)` gives the measured scores that a store compared with that published score.
    Raises InvalidRegistry naming `claims.yaml:line:column` for an input that the registry does not have.
    """
    located = read_located(path or Path(__file__).parent / "claims.yaml", InvalidRegistry)
    file = validated(ClaimsFile, located)
    judge = _Judge(registry, located, file, measured or (lambda _model, _score: ()))
    return [judge.claim(name) for name in file.claims]


class _Judge:
    """Evaluates the claims of one file against one registry."""

    def __init__(self, registry: Registry, located: Located, file: ClaimsFile, measured: Measurements) -> None:
        self.registry, self.located, self.file, self.measured = registry, located, file, measured

    def claim(self, name: str) -> Judged:
        claim = self.file.claims[name]
        place: YamlPath = ("claims", name)
        for index, source in enumerate(claim.sources):
            self._known((*place, "sources", index), "source", source, self.registry.sources)
        numbers = {key: self._input(value, (*place, "inputs", key)) for key, value in claim.inputs.items()}
        given = dict(numbers)
        for key, formula in claim.let.items():
            numbers[key] = self._compute(formula, numbers, (*place, "let", key))
        steps = [self._step(claim, index, numbers, place) for index in range(len(claim.steps))]
        if claim.analysis is not None:
            steps.extend(self._analysed(claim.analysis, place))
        return Judged(
            name, claim.quote, claim.sources, _verdict(claim, steps), claim.says, claim.unit, given, tuple(steps),
            claim.caveat, claim.measure,
        )  # fmt: skip

    def _step(self, claim: Claim, index: int, numbers: Mapping[str, float], place: YamlPath) -> ClaimStep:
        step = claim.steps[index]
        value = self._compute(step.formula, numbers, (*place, "steps", index, "formula"))
        says = step.says or (claim.says if index == 0 or step.counts else None)
        agrees = None if says is None else printed_as(says, value)
        unit = claim.unit if step.unit is None else step.unit
        return ClaimStep(step.label, value, f"{value:,.4g}{unit}", agrees, step.counts, step.formula)

    def _analysed(self, analysis: Analysis, place: YamlPath) -> Sequence[ClaimStep]:
        try:
            return run_analysis(analysis, self.registry, self.measured)
        except InputError as error:
            raise self.located.error((*place, "analysis"), error.what, error.hint) from None

    def _compute(self, formula: str, numbers: Mapping[str, float], place: YamlPath) -> float:
        try:
            return evaluate(formula, numbers)
        except FormulaError as error:
            raise self.located.error(place, f"{error}.", "Correct the formula or its inputs.") from None

    def _input(self, value: Input, place: YamlPath) -> float:
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, ClaimNumber):
            self._known((*place, "claim"), "claim", value.claim, self.file.claims)
            return self._number(self.file.claims[value.claim].says, place, f"claim '{value.claim}' prints no number.")
        if isinstance(value, BenchmarkFact):
            self._known((*place, "benchmark"), "benchmark", value.benchmark, self.registry.benchmarks)
            fact = getattr(self.registry.benchmarks[value.benchmark], value.field)
            return self._number(fact, place, f"the registry does not know {value.field} of {value.benchmark}.")
        self._known((*place, "of"), "model", value.of, self.registry.models)
        model = self.registry.models[value.of]
        if isinstance(value, BytesOf):
            return float(decode_bytes(model.architecture, value.batch, value.context, value.dtype))
        if isinstance(value, ScoreOf):
            scores = [s.value for s in model.published_scores if (s.task, s.source_id) == (value.task, value.source)]
            found = scores[0] if scores else None
            return self._number(found, place, f"'{value.of}' has no score of {value.task} in {value.source}.")
        return self._number(fact_of(model, value.field), place, f"'{value.of}' states no {value.field}.")

    def _number(self, value: object, place: YamlPath, missing: str) -> float:
        if value is None:
            raise self.located.error(place, missing, "Correct the input, or add the fact to registry.yaml.")
        return float(str(value))

    def _known(self, place: YamlPath, kind: str, name: str, known: Mapping[str, object]) -> None:
        if name not in known:
            near = closest(name, known)
            raise self.located.error(place, f"there is no {kind} '{name}'.", f"Did you mean '{near}'?" if near else "")


def fact_of(model: Any, field: str) -> object:
    """A fact of an entry by its dotted name (a number is a position in a list); None where it is not stated."""
    if field in ("parameters", "non_embedding_parameters"):
        count = count_parameters(model.architecture)
        return count.total if field == "parameters" else count.non_embedding
    here: Any = model
    for part in field.split("."):
        if isinstance(here, tuple):
            here = here[int(part)] if part.isdigit() and int(part) < len(here) else None
        else:
            here = getattr(here, part, None) if hasattr(here, part) else getattr(model.architecture, part, None)
    return here if isinstance(here, int | float) and not isinstance(here, bool) else None


def printed_as(says: str, value: float) -> bool:
    """Whether `value`, rounded or cut off to the digits of `says`, gives `says` (40.4 and 40; 16.6 and 16)."""
    printed = Decimal(says)
    step = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    over = Decimal(repr(value)) - printed
    return abs(over) <= step / 2 or 0 <= over < step


def _verdict(claim: Claim, steps: Sequence[ClaimStep]) -> ClaimVerdict:
    if claim.measure is not None:
        judged = [step for step in steps if step.measured is not None and step.agrees is not None]
        if not judged:
            return "needs a measurement"
        contradicted = not any(step.agrees for step in judged)
        weakened = not all(step.agrees for step in judged)
    else:
        contradicted = not steps or steps[0].agrees is False
        weakened = any(step.counts and step.agrees is False for step in steps)
    if contradicted:
        return "contradicted"
    return "holds with a caveat" if weakened or claim.caveat else "holds"
