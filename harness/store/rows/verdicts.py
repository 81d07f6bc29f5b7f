"""A verdict for each measured score and each published one of the same model, task and metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.stats.estimate import Estimate
from harness.stats.reproduction import Protocols, margin_of, verdict

PAIRED = """
SELECT s.run_id, s.task, s.metric, s.filter, s.value, s.stderr, s.lower, s.upper, s.whole_stderr, s.decoding_stderr, s.n,
       s.total, s.fewshot_draws, s.fewshot_sd, r.shots, p.samples_each, p.temperature, p.top_p, p.share, p.margin, p.departure,
       e.value AS published, e.printed, e.origin, e.protocol, e.shots AS published_shots, e.rounding, e.scale, e.items,
       e.subset, e.samples_each AS their_samples, e.temperature AS their_temperature, e.top_p AS their_top_p, e.revision
FROM metrics s JOIN records r USING (run_id, task) JOIN run_protocols p USING (run_id, task)
JOIN expected e ON e.model = r.subject AND e.task = s.task AND s.metric = coalesce(e.metric, p.metric)
               AND s.filter = coalesce(e.filter, p.filter, s.filter)
WHERE r.status = 'ok' AND p.in_registry AND s.value IS NOT NULL
"""
"""The pairs, with all that `verdict_row` reads."""


def verdict_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    """The row of `verdicts` of one pair."""
    measured = Estimate(
        *(pair[name] for name in ("value", "stderr", "lower", "upper", "whole_stderr", "decoding_stderr"))
    )
    margin = margin_of(pair["margin"], pair["fewshot_draws"] or 1, pair["fewshot_sd"])
    protocols = Protocols(
        rounding=pair["rounding"],
        samples_here=pair["samples_each"],
        samples_there=pair["their_samples"],
        part=pair["share"],
        drew_part=pair["subset"] is not None,
    )
    found = verdict(measured, pair["n"], pair["total"], pair["published"], margin.width, protocols, _incomparable(pair))
    kept = ("run_id", "task", "metric", "filter", "published", "printed", "origin", "protocol", "published_shots")
    return {
        **{name: pair[name] for name in kept},
        "difference": found.difference,
        "difference_lower": found.lower,
        "difference_upper": found.upper,
        "margin": margin.width,
        "margin_basis": margin.basis,
        "verdict": found.outcome,
        "needs_n": found.needs_n,
        "reason": found.reason,
    }


def _incomparable(pair: Mapping[str, Any]) -> str | None:
    """Why the two are not the same measurement; None where they are."""
    return _other_prompts(pair) or _other_decoding(pair) or _other_documents(pair)


def _other_prompts(pair: Mapping[str, Any]) -> str | None:
    shots, theirs = pair["shots"], pair["published_shots"]
    if pair["scale"] != "raw":
        return "the published score is corrected for chance"
    if pair["revision"] is not None:
        return f"the source measured the weights '{pair['revision']}'"
    if theirs is None:
        return "the source does not say how many shots"
    if shots != theirs:
        return f"{'several' if shots is None else shots} shots here, {theirs} in the source"
    return pair["departure"]


def _other_decoding(pair: Mapping[str, Any]) -> str | None:
    for name, words, matters in (("temperature", "temperature", True), ("top_p", "top-p", pair["temperature"])):
        ours, theirs = pair[name], pair[f"their_{name}"]
        if matters and theirs is not None and ours != theirs:
            return f"{words} {'none' if ours is None else ours} here, {theirs} in the source"
    return None


def _other_documents(pair: Mapping[str, Any]) -> str | None:
    total, items, subset, share = pair["total"], pair["items"], pair["subset"], pair["share"]
    if total is None:
        return "the record does not say how many documents the task has"
    if items is not None and total != items:
        return f"the data here has {total:,} documents, the benchmark {items:,}"
    if subset is not None and share is None:
        return f"published on {subset}, not on all"
    if subset is None and share is not None:
        return "the suite takes a part of the documents, the source all"
    return None
