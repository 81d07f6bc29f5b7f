"""search.md: what a search found, as a page that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.search.costs import amount


def page(content: Mapping[str, Any]) -> str:
    """The page of a search's document."""
    budget = content["budget"]
    winner = next(each for each in content["candidates"] if each["number"] == content["winner"])
    lines = [
        f"# The shape of a child of {content['parent']['name']} for {budget['asked']}",
        "",
        f"Winner: `{winner['target']}`, {winner['parameters']:,} parameters, {amount(budget['kind'], winner['cost'])} "
        f"({winner['deviation']:+.1%} of what was asked). Its plan is plan.json beside this page: "
        f"`minizoo prune {content['parent']['name']} --plan plan.json --out DIR`.",
        "",
        *(f"* {sentence}" for sentence in content["how_sure"]),
        "",
        f"{budget['told']} The parent costs {amount(budget['kind'], budget['parent'])}.",
        "",
        "## Candidates",
        "",
        *candidates(content),
        "",
        "Losses are in nats a token on held-out documents, after the tokens in the heading; a candidate without one was not "
        "trained, or was out by then.",
        "",
        "## Rungs",
        "",
        *_rungs(content),
        "",
        *_confirmation(content),
        *_made(content),
    ]
    return "\n".join(lines) + "\n"


def candidates(content: Mapping[str, Any]) -> list[str]:
    """All candidates as a table in Markdown, the best first."""
    return _table(*candidate_table(content))


def candidate_table(content: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the candidates, the best first."""
    kind = content["budget"]["kind"]
    tokens = [rung["tokens"] for rung in content["rungs"]]
    tasks = any(each["task"] for each in content["candidates"])
    heading = ["rank", "candidate", "layers", "heads", "hidden", "ffn", "parameters", "cost", "pruned"]
    heading += (["task"] if tasks else []) + [f"{count:,}" for count in tokens] + ["fate"]
    rows: list[list[str]] = []
    for each in content["candidates"]:
        shape = each["shape"]
        row = [
            str(each["rank"]),
            str(each["number"]),
            *(str(shape[axis]) for axis in ("layers", "heads", "hidden", "ffn")),
        ]
        row += [f"{each['parameters']:,}", amount(kind, each["cost"]), _loss(each["pruned_loss"])]
        row += [f"{each['task']['value']:.4f}" if each["task"] else ""] if tasks else []
        rows.append([*row, *(_loss(each["losses"].get(str(count))) for count in tokens), _fate(each, content)])
    return heading, rows


def _fate(candidate: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    if candidate["diverged"] is not None:
        return "diverged"
    if candidate["number"] == content["winner"]:
        return "winner"
    if not candidate["steps"]:
        return "not trained"
    out = [rung["tokens"] for rung in content["rungs"] if candidate["number"] in rung["dropped"]]
    return f"out after {out[0]:,}" if out else "trained to the end"


def _rungs(content: Mapping[str, Any]) -> list[str]:
    rows: list[list[str]] = []
    for rung in content["rungs"]:
        first, *others = rung["standings"] or [None]
        second = others[0] if others else None
        gap = "" if second is None else f"{second['gap']:.4f} [{second['lower']:.4f}, {second['upper']:.4f}]"
        tau = rung["tau"]
        shown = "" if tau is None else f"{tau['value']:.2f} [{tau['lower']:.2f}, {tau['upper']:.2f}]"
        out = ", ".join(str(each) for each in (*rung["dropped"], *rung["diverged"]))
        rows.append(
            [
                f"{rung['tokens']:,}",
                str(first["candidate"]) if first else "",
                gap,
                shown,
                out,
                rung["stop"] or "goes on",
            ]
        )
    return _table(
        ["tokens a candidate", "leader", "gap to the second", "Kendall τ to the rung before", "out", ""], rows
    )


def _confirmation(content: Mapping[str, Any]) -> list[str]:
    found = content["confirmation"]
    if found is None or not found["pairs"]:
        return []
    rows = [
        [str(pair["seed"]), f"{pair['winner']:.4f}", f"{pair['median']:.4f}",
         f"{pair['difference']:+.4f} [{pair['lower']:+.4f}, {pair['upper']:+.4f}]"]
        for pair in found["pairs"]
    ]  # fmt: skip
    heading = ["seed", f"candidate {content['winner']}", f"candidate {content['median']}", "difference"]
    return ["## Confirmation", "", *_table(heading, rows), "", "The interval of a row is over documents alone.", ""]


def _made(content: Mapping[str, Any]) -> list[str]:
    text, training, teacher = content["text"], content["training"], content["teacher"]
    return [
        "## How it was made",
        "",
        f"Importance on {content['importance']['rows']} rows, layers by {content['importance']['depth_by']}. Those trained "
        f"were chosen by {content['scored_by']}. KL on logits from {teacher['name']} ({teacher['cache']} cache), batches of "
        f"{training['batch']} rows of {training['length']} tokens, rate {training['rate']:g}, constant. Text: "
        f"{', '.join(text['sources'])}, {text['rows']:,} rows; {text['ranking_documents']} documents ranked, "
        f"{text['confirming_documents']} confirmed. Seeds: {content['seeds']['search']} in the search, "
        f"{', '.join(map(str, content['seeds']['confirmation'])) or 'none'} in the confirmation. "
        f"The call that finished it took {content['seconds'] / 60:.1f} minutes.",
    ]


def _loss(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heading, ["---"] * len(heading), *rows]
    return [f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines]
