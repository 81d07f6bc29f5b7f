"""JSON from a stranger: one object, of one meaning, that can be written again as it was read."""

from __future__ import annotations

import json
from typing import Any, cast

MOST_NESTED = 40
"""Objects and lists within one another; a record has some ten."""


def json_object(content: bytes) -> dict[str, Any]:
    """The object that the bytes say. ValueError for anything else, and for what JSON's readers do not agree about.

    Refused are a name given twice in an object, numbers that are not finite, half a surrogate pair, and deep nesting.
    """
    try:
        document: Any = json.loads(content.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refused)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("it holds no JSON object")
    if _nested(document) > MOST_NESTED:
        raise ValueError("it is nested too deeply")
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return cast("dict[str, Any]", document)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _nested(document: Any) -> int:
    """How many objects and lists stand within one another at most, without recursion."""
    level, depth = [document], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth
