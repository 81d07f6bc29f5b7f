"""What a process told on stdout: one JSON document, which may be an error of minizoo's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zoo.errors import MinizooError, causes


def document_of(text: str) -> Mapping[str, Any]:
    """The last JSON object that the text holds; an empty one where there is none, as of a process that was killed."""
    for begin in (0, text.rfind("\n{") + 1):
        try:
            found = json.loads(text[begin:])
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}


def error_of(document: Mapping[str, Any]) -> MinizooError | None:
    """The error that the document tells; None where it tells none, or one that this minizoo does not know."""
    if document.get("schema") != "minizoo.error/1":
        return None
    cause = next((cause for cause in causes() if cause.code == document.get("code")), None)
    return cause(str(document.get("what", "")), str(document.get("hint", ""))) if cause else None
