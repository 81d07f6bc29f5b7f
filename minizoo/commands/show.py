"""`minizoo show`: one model in full."""

from __future__ import annotations

from typing import Any

import click

from minizoo.output import Column, Output, json_option


@click.command(short_help="Show one model: lineage, dimensions, parameters, published scores.")
@click.argument("model")
@json_option
def show(model: str, as_json: bool) -> None:
    """Show one MODEL (id, alias or hub id): lineage, dimensions, parameters, tokens, published scores with source."""
    from zoo.describe import facts
    from zoo.lineage import family_tree, root_of
    from zoo.registry import load_registry

    registry = load_registry()
    found = registry.resolve(model)
    told = facts(found, registry)
    out = Output(as_json)
    if as_json:
        out.document("model", told)
        return
    out.text(f"{found.display} ({found.id})")
    out.text()
    for line in family_tree(registry, root_of(registry, found.id), mark=found.id):
        out.text(line)
    out.text()
    out.table([Column("fact"), Column("value")], _fact_rows(told))
    out.text()
    out.table([Column("dimension"), Column("value", number=True)], _dimension_rows(told["architecture"]))
    if told["published_scores"]:
        out.text()
        _show_scores(out, told["published_scores"])


COMMERCIAL: dict[bool | None, str] = {True: "yes", False: "no", None: "unknown"}


def _fact_rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    tokens = told["tokens"] or {}
    hub = told["hub"] or {}
    licence = told["licence"] or {}
    claimed = told["claimed"] or {}
    weights = told["weights"] or hub.get("id") or "not public"
    revision = "not needed (shipped)" if told["weights"] else _or_unknown(hub.get("revision"))
    rows = [
        ("group, kind", f"{told['group']}, {told['kind']}"),
        ("weights", weights),
        ("revision", revision),
        ("licence", _or_unknown(licence.get("id"))),
        ("commercial use", COMMERCIAL[licence.get("commercial")]),
        ("hardware named", ", ".join([*claimed.get("test_hardware", []), *claimed.get("microarchitectures", [])])),
        ("precision named", ", ".join(claimed.get("dtypes", []))),
        *((f"tokens, {key.replace('_', ' ')}", _tokens(tokens.get(key))) for key in TOKEN_KINDS),
        *(("note", note) for note in told["notes"]),
    ]
    return [(name, value or "unknown") for name, value in rows]


TOKEN_KINDS = ("pretraining", "teacher_correction", "distillation", "search")
SHOWN_DIMENSIONS = (
    "num_layers", "hidden_size", "ffn_hidden_size", "num_attention_heads", "num_kv_heads", "head_dim", "vocab_size",
    "tied_embeddings", "max_context", "activation", "norm", "pattern", "mamba_num_heads", "mamba_head_dim",
    "parameters", "declared_parameters", "embedding_parameters", "non_embedding_parameters",
    "weight_bytes_bf16", "kv_bytes_per_token_bf16", "decode_bytes_bf16", "flops_per_token",
)  # fmt: skip
ABSENT_IS_MEANINGLESS = {"pattern", "mamba_num_heads", "mamba_head_dim", "activation", "norm"}


def _dimension_rows(architecture: dict[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name in SHOWN_DIMENSIONS:
        value = architecture.get(name)
        if value is None and name in ABSENT_IS_MEANINGLESS:
            continue
        is_count = isinstance(value, int) and not isinstance(value, bool)
        rows.append((name, f"{value:,}" if is_count else _or_unknown(value)))
    return rows


def _show_scores(out: Output, scores: list[dict[str, Any]]) -> None:
    columns = [Column("task"), Column("value", number=True), Column("unit"), Column("metric"),
               Column("shots", number=True), Column("revision"), Column("source")]  # fmt: skip
    rows = [
        (
            score["task"] + (" †" if score["used_for_selection"] else ""),
            f"{score['value']:g}",
            score["unit"],
            _or_unknown(score["metric"]),
            _or_unknown(score["shots"]),
            score["revision"] or "–",
            f"{score['source']['title']}{', ' + score['where'] if score['where'] else ''}",
        )
        for score in scores
    ]
    out.table(columns, rows, title="Published scores")
    if any(score["used_for_selection"] for score in scores):
        out.text("† this task was used to choose the model's shape: the score was not blind to the choice.")


def _tokens(count: int | None) -> str:
    return "unknown" if count is None else f"{count / 1e9:,g} B"


def _or_unknown(value: Any) -> str:
    return "unknown" if value is None else str(value)
