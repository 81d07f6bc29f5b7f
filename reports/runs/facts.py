"""With what, where and when a run was measured, as lines of a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from harness.records.record import WITHHELD, precision
from reports.cells import moment, text

ORIGINS = {"measured": "measured here", "imported": "imported", "contributed": "contributed"}


@dataclass(frozen=True)
class Fact:
    """A line; `code` is for what is copied: digests and ids."""

    name: str
    value: str
    code: bool = False


def facts_of(run: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The lines that have something to say, from a row of the view `runs` and any record of the run."""
    subject = cast("dict[str, Any]", record.get("subject") or {})
    found = [
        Fact("Run", text(run["run_id"]), code=True),
        Fact("Began", moment(run.get("started_at"), "%Y-%m-%d %H:%M:%S UTC")),
        Fact("Finished", moment(run.get("finished_at"), "%Y-%m-%d %H:%M:%S UTC")),
        Fact("Origin", origin(run, record)),
        Fact("Weights from", _weights(subject)),
        Fact("Weights digest", text(run.get("weights_digest")), code=True),
        Fact("Tokenizer digest", text(subject.get("tokenizer_digest")), code=True),
        Fact("Made from", text(run.get("parent"))),
        Fact("Backend", _joined(run.get("backend"), run.get("device"), dtypes(run))),
        Fact("Conformance", conformance(record)),
        Fact("GPU", f"{run['gpu']}, driver {run.get('driver') or 'unknown'}" if run.get("gpu") else ""),
        Fact("Processor", text(run.get("processor"))),
        Fact("Host", _joined("" if run.get("host") == WITHHELD else run.get("host"), run.get("platform"))),
        Fact("Seed", text(run.get("seed"))),
        Fact("Commit of minizoo", text(run.get("git_sha")), code=True),
        Fact("Versions", _versions(run.get("versions"))),
        Fact("Context", _context(record)),
        Fact("Chat template", text(record.get("chat_template")), code=True),
    ]
    return tuple(fact for fact in found if fact.value)


def origin(run: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Who measured it, and from which file it came where that was not here."""
    source = text(run.get("source"))
    if source == "imported":
        found = cast("dict[str, Any]", record.get("imported") or {})
        tool = _joined(found.get("tool"), found.get("tool_version"), between=" ")
        return f"imported from {found.get('file')} of {tool}" if found else "imported"
    if source == "contributed":
        name = text(run.get("contributed_by")).strip()
        bundle = text(cast("dict[str, Any]", record.get("contribution") or {}).get("file"))
        return f"contributed by {name or 'somebody who is not named'}{f', in {bundle}' if bundle else ''}"
    return ORIGINS.get(source, source)


def conformance(record: Mapping[str, Any]) -> str:
    """What was known of the backend of an accuracy record, and by which outcome; nothing of what minizoo did not compute."""
    if record.get("speed") or record.get("beside") or record.get("source") == "imported":
        return ""
    told = cast("dict[str, Any]", record.get("conformance") or {})
    state = text(told.get("state")) or "unchecked"
    if state == "unchecked":
        return _joined("unchecked", told.get("reason") or "nobody had asked whether the backend is right")
    how = {"shipped": "an outcome that comes with minizoo", "measured": "measured with these results"}
    found = cast("list[str]", told.get("failed") or [])
    which = f"{text(told.get('depth'))} suite, {how.get(text(told.get('source')), '')}, {text(told.get('digest'))[:12]}"
    return f"failed {', '.join(found)} ({which})" if state == "failed" else f"{state} ({which})"


def where(run: Mapping[str, Any]) -> str:
    """The hardware: a GPU by its product name, else the processor, else the device."""
    return text(run.get("gpu")) or text(run.get("processor")) or text(run.get("device"))


def dtypes(run: Mapping[str, Any]) -> str:
    """The dtype of the weights, and that of the products where it is another."""
    return precision(text(run.get("dtype")), run.get("compute_dtype"))


def seconds(value: float | None) -> str:
    """A length of time in words: `22 s`, `4 min 10 s`, `2 h 3 min`."""
    if value is None or value != value:
        return ""
    if value < 1:
        return "under 1 s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _weights(subject: Mapping[str, Any]) -> str:
    revision = text(subject.get("revision"))
    source = text(subject.get("source"))
    return f"{source} at {revision[:12]}" if source and revision else source


def _context(record: Mapping[str, Any]) -> str:
    tokens, assumed = record.get("context"), text(record.get("context_assumed"))
    return "" if tokens is None else f"{tokens:,} tokens{f' ({assumed})' if assumed else ''}"


def _versions(versions: Any) -> str:
    """The store keeps versions as a JSON object of package names."""
    try:
        found: Any = json.loads(versions) if isinstance(versions, str) else versions
    except ValueError:
        return text(versions)
    if not isinstance(found, Mapping):
        return text(found)
    named = cast("Mapping[str, Any]", found)
    return ", ".join(f"{name} {named[name]}" for name in sorted(named))


def _joined(*parts: object, between: str = ", ") -> str:
    told: Sequence[str] = [text(part) for part in parts]
    return between.join(filter(None, told))
