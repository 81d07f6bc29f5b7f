"""What the registry says a model is: where it comes from, what it may be used for, its dimensions beside its parent's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.cells import count, size
from reports.models.grid import Cell, Column, Grid, Target, grid, percent
from reports.models.subject import Subject
from zoo.registry.describe import architecture_facts, where_weights_are
from zoo.registry.loader import Model, Registry

UNKNOWN = "unknown"
FORMATS = {
    "safetensors": "safetensors",
    "pickled": "pytorch_model.bin and no safetensors: converted once",
    "nemo": "a NeMo archive",
}
COMMERCIAL: dict[bool | None, str] = {
    True: "commercial use allowed",
    False: "no commercial use",
    None: "commercial use unknown",
}
TOKENS = {
    "pretraining": "Pretrained on",
    "teacher_correction": "Corrected on",
    "distillation": "Distilled on",
    "alignment": "Aligned on",
}
"""Tokens by purpose, as a fact is named."""
DIMENSIONS = {
    "num_layers": "Layers",
    "hidden_size": "Hidden size",
    "ffn_hidden_size": "MLP size",
    "num_attention_heads": "Attention heads",
    "num_kv_heads": "KV heads",
    "head_dim": "Head size",
    "vocab_size": "Vocabulary",
    "tied_embeddings": "Embeddings tied",
    "max_context": "Context",
    "activation": "Activation",
    "norm": "Norm",
    "pattern": "Layers' pattern",
    "mamba_num_heads": "Mamba heads",
    "mamba_head_dim": "Mamba head size",
    "mamba_state_dim": "Mamba state size",
    "parameters": "Parameters",
    "non_embedding_parameters": "… without embeddings",
    "embedding_parameters": "… of embeddings",
    "stored_bytes": "Weights as stored",
    "weight_bytes_bf16": "Weights in bfloat16",
    "decode_bytes": "Read a decode step, as stored",
    "kv_bytes_per_token": "KV cache a token",
    "flops_per_token": "FLOPs a token",
}
"""Dimensions and what follows from them, in the order of the table."""
BYTES = {"stored_bytes", "weight_bytes_bf16", "decode_bytes"}


@dataclass(frozen=True)
class Fact:
    """A line of what is known: `source` is the registry's id of it, `quote` the source's own words, `note` the registry's."""

    name: str
    text: str
    quote: str = ""
    note: str = ""
    to: Target | None = None
    source: str = ""


def facts_of(subject: Subject) -> tuple[Fact, ...]:
    """Names, weights, licence, tokens, what the publisher names, notes; of a model in no registry what the board knows."""
    model = subject.entry
    return tuple(_entry_facts(model)) if model is not None else tuple(_plain_facts(subject))


def dimensions(model: Model, registry: Registry) -> Grid | None:
    """Dimensions and sizes beside those of the parent, and what share of them is left."""
    parent = registry.models.get(model.lineage.parent or "") if model.lineage else None
    own = architecture_facts(model)
    theirs = architecture_facts(parent) if parent is not None else {}
    rows = [
        [
            Cell(words, "" if name not in BYTES | {"parameters"} else _aside(name, model)),
            Cell(_shown(name, own.get(name))),
            Cell(_shown(name, theirs.get(name)) if parent else ""),
            Cell(_left(own.get(name), theirs.get(name))),
        ]
        for name, words in DIMENSIONS.items()
        if own.get(name) is not None or theirs.get(name) is not None
    ]
    columns = (
        Column("Dimension"),
        Column("This model", number=True),
        Column(parent.display if parent else "Parent", number=True),
        Column("Left of it", number=True),
    )
    of = f" beside those of {parent.display}, from which it was made" if parent else ""
    source = f"The dimensions are from {model.architecture_source}; sizes follow from them by closed form."
    return grid(f"Dimensions and sizes{of}.", columns, rows, (source,))


def _plain_facts(subject: Subject) -> Iterator[Fact]:
    facts = subject.facts
    yield Fact("Name", facts.id)
    yield Fact("Registry", "in no registry: what is known of it comes from its records")
    yield Fact("Parent", facts.parent or UNKNOWN, to=Target("model", facts.parent) if facts.parent else None)
    yield Fact("Parameters", UNKNOWN if facts.parameters is None else count(facts.parameters))
    yield Fact("Weights as stored", UNKNOWN if facts.weight_bytes is None else size(facts.weight_bytes))
    yield Fact("Context", UNKNOWN if facts.context is None else f"{facts.context:,} tokens")
    yield Fact("Licence", facts.licence or UNKNOWN)


def _entry_facts(model: Model) -> Iterator[Fact]:
    yield Fact("Names", ", ".join(model.names))
    yield from _weights(model)
    yield _licence(model)
    yield from _tokens(model)
    lineage, claimed, training = model.lineage, model.claimed, model.training
    if lineage is not None:
        yield Fact("Made", " + ".join(lineage.relation), note=lineage.note or "", source=lineage.source)
        if lineage.selection is not None:
            chosen = lineage.selection
            on = f", on {', '.join(chosen.tasks)}" if chosen.tasks else ""
            yield Fact("Shape chosen by", f"{chosen.method}{on}", source=chosen.source)
    if training is not None:
        parts = (
            f"batches of {training.batch_size:,}" if training.batch_size else "",
            f"sequences of {training.sequence_length:,} tokens" if training.sequence_length else "",
            f"{training.flops_per_step:.3g} FLOPs a step" if training.flops_per_step else "",
        )
        yield Fact(
            "Training", ", ".join(filter(None, parts)) or UNKNOWN, note=training.note or "", source=training.source
        )
    if claimed is not None:
        hardware = ", ".join((*claimed.test_hardware, *claimed.microarchitectures)) or UNKNOWN
        yield Fact("Hardware named", hardware, source=claimed.source)
        engine = " · ".join(filter(None, (claimed.engine, ", ".join(claimed.dtypes))))
        yield Fact("Engine and precision named", engine or UNKNOWN, source=claimed.source)
    yield from (Fact("Note", note) for note in model.notes)


def _weights(model: Model) -> Iterator[Fact]:
    at = where_weights_are(model)
    shipped = model.weights is not None
    to = Target("web", f"https://huggingface.co/{model.hub.id}") if model.hub and not shipped else None
    if model.made is not None:
        yield Fact("Weights", at, note=f"by {model.made.by}", source=model.made.source)
    else:
        yield Fact("Weights", "shipped with minizoo" if shipped else at, to=to)
    if model.hub is not None:
        hub, files = model.hub, model.hub.files
        if files is not None:
            told = (FORMATS.get(files.format or ""), files.dtype, f"class {files.hf_class}" if files.hf_class else None)
            code = "asks for code of its own" if files.remote_code else None
            yield Fact("Files", ", ".join(filter(None, (*told, code))) or UNKNOWN, source=files.source)
        where = Target("web", str(hub.revision_source)) if hub.revision_source else None
        yield Fact("Revision", hub.revision or UNKNOWN, to=where)
    for name, version in model.revisions.items():
        yield Fact(f"Weights “{name}”", version.commit or UNKNOWN, note=version.note, source=version.source)


def _licence(model: Model) -> Fact:
    licence = model.licence
    if licence is None:
        return Fact("Licence", "unknown: no source that the registry cites states it")
    to = Target("web", str(licence.url)) if licence.url else None
    return Fact(
        "Licence", f"{licence.id} ({COMMERCIAL[licence.commercial]})", licence.quote or "", to=to, source=licence.source
    )


def _tokens(model: Model) -> Iterator[Fact]:
    tokens = model.tokens
    if tokens is None:
        return
    for kind, words in TOKENS.items():
        spent: int | None = getattr(tokens, kind)
        if spent is not None:
            yield Fact(words, tokens_in_words(spent), source=tokens.source)
    if tokens.search is not None:
        search = tokens.search
        told = f"{search.candidates} candidates × {tokens_in_words(search.tokens_each)}"
        yield Fact("Search for the shape", told, source=tokens.source)
    if tokens.note:
        yield Fact("Tokens", tokens.note, source=tokens.source)


def tokens_in_words(tokens: int) -> str:
    """`94 billion tokens`."""
    for unit, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if tokens >= unit:
            return f"{tokens / unit:,.4g} {name} tokens"
    return f"{tokens:,} tokens"


def _aside(name: str, model: Model) -> str:
    facts = architecture_facts(model)
    if name == "parameters":
        declared = facts["declared_parameters"]
        return (
            "" if declared is None else "as declared" if declared == facts["parameters"] else f"declared {declared:,}"
        )
    return str(facts["stored_as"]) if name == "stored_bytes" else ""


def _shown(name: str, value: object) -> str:
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int):
        return str(value)
    if name in BYTES:
        return size(value)
    if name == "kv_bytes_per_token":
        return f"{value / 1024:,.4g} KiB"
    if name == "flops_per_token":
        return f"{value / 1e9:,.3g} G" if value >= 1e9 else f"{value / 1e6:,.3g} M"
    return f"{value:,}"


def _left(own: object, theirs: object) -> str:
    """What share of the parent's value the model has; empty where it is all of it, or no number."""
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in (own, theirs))
    if not numbers or own == theirs or not theirs:
        return ""
    return percent(own / theirs)  # pyright: ignore
