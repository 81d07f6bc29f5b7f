"""Base classes of everything that is read from files (frozen, no unknown keys) and the kinds of text and number in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


def _whole(value: Any) -> Any:
    """380e9 is a float to YAML and a count to its author."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, BeforeValidator(_whole), Field(gt=0)]


class Strict(BaseModel):
    """Frozen, without unknown keys, without silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Frozen(BaseModel):
    """Frozen, without unknown keys; text and numbers are converted where JSON has no word of its own for a type."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Text = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", description="Safe in a path and a shell.")]
Url = Annotated[str, Field(pattern=r"^https://\S+$")]


def renamed(new_words: Mapping[str, str]) -> BeforeValidator:
    """Refuse words that a field no longer takes (old word → new word), with the new one in the hint."""

    def refuse(value: Any) -> Any:
        if isinstance(value, str) and value in new_words:
            raise PydanticCustomError("renamed", "this word is no longer used", {"new_word": new_words[value]})
        return value

    return BeforeValidator(refuse)
