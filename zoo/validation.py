"""From located YAML to checked models: what does not fit becomes one sentence with file, line and column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from zoo.dims import Strict
from zoo.errors import UsageError
from zoo.located import Located
from zoo.names import closest

Shape = TypeVar("Shape", bound=BaseModel)


def validated(shape: type[Shape], located: Located) -> Shape:
    """The file's data as `shape`. Raises UsageError at the first thing that does not fit, counting the rest."""
    try:
        return shape.model_validate(located.data)
    except ValidationError as error:
        raise _first(error, located) from None


def _first(error: ValidationError, located: Located) -> UsageError:
    # a mistyped key is missing under its right name too: the unknown key is the one to tell of
    details = sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")
    first = details[0]
    path = _path(first["loc"], located.data)
    more = f" ({len(details) - 1} more after it)" if len(details) > 1 else ""
    if first["type"] == "extra_forbidden":
        near = closest(str(path[-1]), _field_names())
        hint = f"Did you mean '{near}'?" if near else "Remove it."
        return located.error(path, f"unknown key{more}.", hint, at_key=True)
    if first["type"] == "missing":
        return located.error(path[:-1], f"'{path[-1]}' is missing{more}.", "Add it.", at_key=True)
    what = first["msg"].removeprefix("Value error, ").replace("Input", "the value", 1)
    given = "" if isinstance(first["input"], dict | tuple) else f", not {first['input']!r:.60}"
    return located.error(path, f"{what}{given}{more}.", "Mend the value.", at_key="[key]" in first["loc"])


def _path(loc: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """pydantic's location without what the file does not have: the tags of unions, the mark of a wrong key."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        inside = part in (data if isinstance(data, dict) else range(len(data)) if isinstance(data, tuple) else ())
        if inside:
            data = cast("dict[str | int, Any]", data)[part]
        if inside or (position == len(loc) - 1 and part != "[key]"):
            path.append(part)
    return tuple(path)


def _field_names(of: type[Strict] = Strict) -> Iterator[str]:
    for shape in of.__subclasses__():
        yield from (field.alias or name for name, field in shape.model_fields.items())
        yield from _field_names(shape)
