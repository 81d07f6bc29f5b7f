"""What `minizoo show` shows of one model, and of a config.json compared with its entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minizoo.display.accuracy import or_note, show_beside
from minizoo.display.models.recovery import documents, show_recoveries
from minizoo.display.tables import show_table
from minizoo.output import Column, Output
from zoo.registry.describe import facts
from zoo.registry.lineage import family_tree, root_of

if TYPE_CHECKING:
    from harness.recovery.stored import Recovery
    from zoo.checkpoint.folder_check import FolderCheck
    from zoo.registry.loader import Model, Registry

UNKNOWN = "unknown"
COMMERCIAL: dict[bool | None, str] = {True: "yes", False: "no", None: UNKNOWN}
TOKEN_KINDS = ("pretraining", "teacher_correction", "distillation")
SHOWN_DIMENSIONS = (
    "num_layers", "pattern", "hidden_size", "ffn_hidden_size", "num_attention_heads", "num_kv_heads", "head_dim",
    "vocab_size", "tied_embeddings", "max_context", "activation", "norm", "mamba_num_heads", "mamba_head_dim",
    "parameters", "declared_parameters", "embedding_parameters", "non_embedding_parameters", "stored_as",
    "stored_bytes", "decode_bytes", "kv_cache_dtype", "kv_bytes_per_token", "flops_per_token",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What the results folder holds of a model, as rows of the store."""

    newest: Sequence[Mapping[str, Any]] = ()
    """The newest good score of each circumstance."""
    beside: Sequence[Mapping[str, Any]] = ()
    """The newest ones beside published ones."""


def measured_scores(results: Path, model: str) -> Measured:
    """The model's measured scores, and those beside published ones; a results folder that is not there is not made."""
    if not results.is_dir():
        return Measured()
    from harness.store.query import Reader
    from harness.store.reproduction import of_model
    from reports.tables.measured import newest_scores

    def read() -> list[Measured]:
        beside = of_model(results, model)
        return [Measured(newest_scores(Reader(results), model), beside)]

    return next(iter(or_note(read, "What was measured is not shown")), Measured())


def show_model(
    output: Output, model: Model, registry: Registry, measured: Measured, recovered: Sequence[Recovery] = ()
) -> None:
    """Lineage, facts, dimensions, statements, published scores, what was measured beside them, and the family's recovery."""
    told = facts(model, registry)
    if output.as_json:
        found = {"measured": measured.newest, "reproduction": measured.beside}
        output.document("model", {**told, **found, "recoveries": documents(recovered)})
        return
    output.text(f"{model.display} ({model.id})")
    output.text()
    for line in family_tree(registry, root_of(registry, model.id), mark=model.id):
        output.text(line)
    output.text()
    output.table([Column("fact"), Column("value")], _fact_rows(told))
    output.text()
    output.table([Column("dimension"), Column("value", number=True)], _dimension_rows(told["architecture"]))
    _show_statements(output, told["statements"])
    _show_scores(output, told["published_scores"])
    _show_measured(output, measured)
    show_beside(output, measured.beside)
    show_recoveries(output, recovered)


def show_check(output: Output, model: str, where: str, check: FolderCheck) -> int:
    """A row a difference between what is at `where` and the entry, and the weights that were read; the exit code, 1 where one
    contradicts it."""
    differences = check.differences
    contradictions = sum(difference.contradicts for difference in differences)
    if output.as_json:
        listed = [{**asdict(difference), "contradicts": difference.contradicts} for difference in differences]
        weights = {"weights": check.weights, "parameters": check.parameters, "told": list(check.told)}
        output.document("check", {"model": model, "config": where, "differences": listed, **weights})
        return 1 if contradictions else 0
    if differences:
        columns = [
            Column("dimension"),
            Column("key in the config"),
            *(Column(h, importance=2) for h in ("entry", "config", "verdict")),
        ]
        rows = [
            (d.dimension, d.key, _or_unknown(d.entry), _or_unknown(d.config), "differs" if d.contradicts else "open")
            for d in differences
        ]
        output.table(columns, rows)
    if check.weights is not None:
        count = "" if check.parameters is None else f", {check.parameters:,} parameters"
        output.text(f"Weights: {check.weights}{count}.")
    for line in check.told:
        output.text(line)
    verdict = f"contradicts the entry in {contradictions} dimensions" if contradictions else "agrees with the entry"
    output.text(f"{where} {verdict} '{model}'.")
    return 1 if contradictions else 0


def _fact_rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    hub, licence, claimed = (told[part] or {} for part in ("hub", "licence", "claimed"))
    tokens = told["tokens"] or {}
    search = tokens.get("search")
    rows = [
        ("group, kind", f"{told['group']}, {told['kind']}"),
        ("weights", f"made by {told['made']['by']}" if told["made"] else told["weights_at"]),
        *((("files", _files(hub["files"])),) if hub.get("files") else ()),
        ("revision", "shipped with minizoo" if told["weights"] else hub.get("revision")),
        *((f"weights '{name}'", f"{version['note']} {version['commit'] or UNKNOWN}")
          for name, version in told["revisions"].items()),
        ("licence", licence.get("id")),
        ("commercial use", COMMERCIAL[licence.get("commercial")]),
        ("hardware named", ", ".join([*claimed.get("test_hardware", []), *claimed.get("microarchitectures", [])])),
        ("precision named", ", ".join(claimed.get("dtypes", []))),
        *((f"tokens, {key.replace('_', ' ')}", _tokens(tokens.get(key))) for key in TOKEN_KINDS),
        ("tokens, search", f"{search['candidates']} × {_tokens(search['tokens_each'])}" if search else None),
        *(("speed", _speed(speed)) for speed in told["speeds"]),
        *(("note", note) for note in told["notes"]),
    ]  # fmt: skip
    return [(name, value or UNKNOWN) for name, value in rows]


FORMATS = {
    "safetensors": "safetensors",
    "pickled": "pytorch_model.bin and no safetensors: converted once",
    "nemo": "a NeMo archive",
}


def _files(files: dict[str, Any]) -> str:
    hf_class = f"its class there is {files['hf_class']}" if files["hf_class"] else None
    code = "asks for code of its own" if files["remote_code"] else None
    parts = (FORMATS.get(files["format"]), files["dtype"], hf_class, code)
    return f"{', '.join(part for part in parts if part)} ({files['source']})"


def _dimension_rows(architecture: dict[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name in SHOWN_DIMENSIONS:
        if name not in architecture:
            continue
        value = architecture[name]
        is_count = isinstance(value, int) and not isinstance(value, bool)
        rows.append((name, f"{value:,}" if is_count else _or_unknown(value)))
    return rows


def _show_statements(output: Output, statements: list[dict[str, Any]]) -> None:
    if not statements:
        return
    verdicts = {True: "agrees", False: "differs", None: "cannot be told"}
    columns = [
        Column("stated"),
        *(Column(h, importance=2) for h in ("as printed", "here", "verdict")),
        Column("source"),
    ]
    rows = [
        (s["field"], s["value"], f"{s['actual']:,}" if isinstance(s["actual"], int) else _or_unknown(s["actual"]),
         verdicts[s["agrees"]], f"{s['source']}{', ' + s['where'] if s['where'] else ''}")
        for s in statements
    ]  # fmt: skip
    output.text()
    output.table(columns, rows, title="What sources state")


def _show_scores(output: Output, scores: list[dict[str, Any]]) -> None:
    if not scores:
        return
    from reports.tables.scores import published_table

    output.text()
    show_table(output, published_table(scores))


def _show_measured(output: Output, measured: Measured) -> None:
    if not measured.newest:
        return
    from reports.tables.measured import measured_table

    output.text()
    show_table(output, measured_table(measured.newest))


def _speed(speed: dict[str, Any]) -> str:
    batch = f"batch {_or_unknown(speed['batch'])} against {_or_unknown(speed['against_batch'])}"
    return f"{speed['ratio']:g}× {speed['against']}, {speed['engine']} {speed['dtype']} on {speed['gpu']}, {batch}"


def _tokens(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count / 1e9:,g} B"


def _or_unknown(value: Any) -> str:
    return UNKNOWN if value is None else str(value)
