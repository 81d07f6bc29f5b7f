"""Which architecture classes TensorRT-LLM has a model for, and what of each, by its sources (support.yaml).

python -m backends.trtllm.support     # writes the table of docs/tensorrt-llm.md anew
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from zoo.arch.dims import Dense
from zoo.registry.loader import Registry, load_registry
from zoo.strict import Strict, Text
from zoo.yaml_source import read_located, validated

FILE = Path(__file__).parent / "support.yaml"
PAGE = Path(__file__).parents[2] / "docs" / "tensorrt-llm.md"
REPOSITORY = "https://github.com/NVIDIA/TensorRT-LLM/blob"
MODELS = "tensorrt_llm/_torch/models"
COLUMNS = ("since", "bf16", "fp8", "tensor_parallel")
"""Names of facts of a class, as the page has them from left to right."""
Said = Literal["tested", "listed", "code", "unknown"]
"""By what it is known: an accuracy test of upstream's, its documentation, its code alone, or by nothing."""


class Source(Strict):
    """A file of TensorRT-LLM's repository, at the commit at which it was read."""

    file: Text
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]

    @property
    def address(self) -> str:
        """Where it can be read."""
        return f"{REPOSITORY}/{self.commit}/{self.file}"


class Fact(Strict):
    """What is known of one thing, and from where."""

    said: Said
    source: Text
    note: Text
    version: Text | None = None
    """The first release that has it, where that is what the fact tells."""


class Family(Strict):
    """What is known of a class of the Minitron family or of its parents."""

    since: Fact
    bf16: Fact
    fp8: Fact
    tensor_parallel: Fact


class Refused(Strict):
    """Checkpoints that upstream reads otherwise than they were written."""

    what: Text
    source: Text
    note: Text


class Releases(Strict):
    """Which releases minizoo's worker drives, and why none before."""

    first: Text
    newest: Text
    """Major and minor version; the newest that was read."""
    why: Text
    source: Text


class Table(Strict):
    """support.yaml."""

    sources: dict[str, Source]
    releases: Releases
    family: dict[str, Family]
    heads: Fact
    refused: tuple[Refused, ...]
    others: dict[str, Text]


@dataclass(frozen=True, slots=True)
class Support:
    """What TensorRT-LLM has for an architecture class."""

    architecture: str
    module: str
    """Its model's file, without folder and ending."""
    facts: Mapping[str, Fact]
    """What is known of it, by name (COLUMNS); empty for a class that is of no model of the family."""


@cache
def table() -> Table:
    """The file as it stands. Raises InvalidFile, with line and column, where it does not fit."""
    return validated(Table, read_located(FILE))


def supported(architecture_class: str) -> Support | None:
    """What upstream has for a class of `config.json` (`architectures[0]`); None for a class that its index does not name."""
    known = table()
    if (family := known.family.get(architecture_class)) is not None:
        facts = {name: getattr(family, name) for name in COLUMNS}
        return Support(architecture_class, _module(architecture_class), facts)
    module = known.others.get(architecture_class)
    return None if module is None else Support(architecture_class, module, {})


def lacking(registry: Registry) -> list[str]:
    """Models of the registry whose class upstream has no model for, as `id (class)`."""
    named = [(model.id, model.architecture.hf_class) for model in registry.models.values()]
    return [f"{name} ({kind})" for name, kind in named if kind and supported(kind) is None]


def uneven(registry: Registry) -> list[str]:
    """Models of the family and their parents whose heads are not hidden size / heads wide."""
    listed = (model for model in registry.models.values() if model.group in ("minitron", "parent"))
    shapes = [(model.id, model.architecture) for model in listed]
    return [
        name
        for name, dims in shapes
        if isinstance(dims, Dense) and dims.hidden_size != dims.num_attention_heads * dims.head_dim
    ]


def markdown(registry: Registry) -> str:
    """The table of the page: a row a class of the family, with its models and what each cell is known by."""
    known = table()
    heads = ("class", "models", "upstream's file", "since", "bf16", "fp8", "tensor parallelism")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for name, family in known.family.items():
        models = ", ".join(f"`{one.id}`" for one in registry.models.values() if _counts(registry, one.id, name))
        facts = [_cell(getattr(family, column)) for column in COLUMNS]
        lines.append(f"| `{name}` | {models} | `{_module(name)}.py` | {' | '.join(facts)} |")
    lines += [
        "",
        f"**Releases** from {known.releases.first} to {known.releases.newest} are driven, others refused: {known.releases.why} "
        f"[{known.releases.source}].",
        "",
        f"**Heads** ({known.heads.said}): {known.heads.note}; here {', '.join(uneven(registry))} [{known.heads.source}].",
        "",
        *(f"**Not as it was written**: {one.what}: {one.note} [{one.source}]." for one in known.refused),
        "",
        f"Upstream's index [index] has {len(known.others)} other text models too, of which nothing more was read, and none "
        f"for {', '.join(lacking(registry))}.",
        "",
        *(f"[{name}]: {source.address}" for name, source in known.sources.items()),
    ]
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with the table as it is now; ValueError where its marker is missing."""
    begin, end = "<!-- support:begin -->\n", "\n<!-- support:end -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError("the page has no place for the table of what is supported")
    return before + begin + markdown(load_registry()) + end + after


def _module(architecture: str) -> str:
    """Each class of the family stands in the file of its own name: NemotronHForCausalLM in modeling_nemotron_h."""
    name = architecture.removesuffix("ForCausalLM")
    return "modeling_" + "".join(f"_{c.lower()}" if i and c.isupper() else c.lower() for i, c in enumerate(name))


def _counts(registry: Registry, model: str, architecture: str) -> bool:
    """Whether a row names the model: of the family, a parent of it, or a hybrid of the same house."""
    entry = registry.models[model]
    return entry.group in ("minitron", "parent", "hybrid") and entry.architecture.hf_class == architecture


def _cell(fact: Fact) -> str:
    first = f"{fact.version}; " if fact.version else ""
    return f"{first}{fact.said}: {fact.note} [{fact.source}]"


if __name__ == "__main__":
    sys.exit(PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8") == 0)
