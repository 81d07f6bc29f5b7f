"""What sources state about sizes and shapes, compared with the entry's own dimensions and tokens."""

from __future__ import annotations

from zoo.arch.parameters import count_parameters
from zoo.registry.printed import PRINTED, same_at_printed_precision
from zoo.registry.published import Statement
from zoo.registry.schema import Entry
from zoo.registry.stored import weights_by_closed_form

TOKEN_FIELDS = ("pretraining", "teacher_correction", "distillation", "alignment")
FIELDS = ("parameters", "non_embedding_parameters", "weight_bytes", "licence", "compressed_axes",
          *(f"tokens.{kind}" for kind in TOKEN_FIELDS))  # fmt: skip


def is_known_field(entry: Entry, field: str) -> bool:
    """Whether `field` is a dimension of the entry or one of the computed FIELDS."""
    return field in FIELDS or field in type(entry.architecture).model_fields


def can_be_read(statement: Statement) -> bool:
    """Whether the printed value is a number (with K, M, B or T) where the field needs one."""
    return statement.field in ("licence", "compressed_axes") or PRINTED.match(statement.value) is not None


def actual_value(entry: Entry, field: str) -> int | str | None:
    """What the entry says or implies about `field`; None where it does not know."""
    if field == "licence":
        return entry.licence.id if entry.licence else None
    if field == "compressed_axes":
        compression = entry.lineage.compression if entry.lineage else None
        return ", ".join(compression.axes) if compression else None
    if field.startswith("tokens."):
        return getattr(entry.tokens, field.removeprefix("tokens."), None)
    if field == "parameters":
        return count_parameters(entry.architecture).total
    if field == "non_embedding_parameters":
        return count_parameters(entry.architecture).non_embedding
    if field == "weight_bytes":
        return closed.total if (closed := weights_by_closed_form(entry)) else None
    return getattr(entry.architecture, field)


def agrees(statement: Statement, entry: Entry) -> bool | None:
    """Whether the printed value is the actual one at the printed precision; None where the entry does not know."""
    actual = actual_value(entry, statement.field)
    if actual is None:
        return None
    if isinstance(actual, str):
        return _names(statement.value) == _names(actual)
    return same_at_printed_precision(statement.value, actual)


def _names(listed: str) -> set[str]:
    return {name.strip().lower() for name in listed.split(",")}
