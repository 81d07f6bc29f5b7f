"""Models with results over the same documents, of every sort that a comparison page has to tell apart."""

from __future__ import annotations

import random

from harness.records.files import new_run_id
from harness.records.record import Counts
from harness.stats.sufficient import StrataStatistics, Stratum
from harness.store.query import Reader
from reports.board.build import build_board
from reports.site.input import SiteInput
from support.compared import keep, score_of
from zoo.registry.loader import load_registry

PARENT, CHILD, OTHER, ODD = "nano-teacher", "nano-width-pruned", "nano-depth-pruned", "mine <b>'&\u202e"


def answers(seed: int, n: int, share: float) -> list[float]:
    dice = random.Random(seed)
    return [float(dice.random() < share) for _ in range(n)]


def columns(n: int, start: int = 0, **changes):
    """Documents `start` and after; hashes of what was asked that are the same wherever a document is."""
    names = [f"document {i}" for i in range(start, start + n)]
    return {"doc_hash": names, "request_hash": [f"asked {name}" for name in names], "target": "1", **changes}


def counts(n: int, total: int, truncated: int = 0) -> Counts:
    return Counts(documents=n, documents_total=total, requests=n, tokens=9 * n, truncated=truncated, reused=0)


def make(results):
    """Four models; each task is of one kind, and named by it."""
    for at, (model, share) in enumerate({PARENT: 0.8, CHILD: 0.6, OTHER: 0.78, ODD: 0.3}.items()):
        seed = 10 * at
        keep(results, model, answers(seed, 300, share), "plain", columns=columns(300))
        midway = [1.0] * (25 - 2 * at) + [0.0] * (7 + 2 * at)  # of 32: 0.78125 is midway between four decimals
        keep(results, model, midway, "short", columns=columns(32), score={"chance": None})
        keep(results, model, [1.0] * 40 if at == 0 else [1.0] * 39 + [0.0], "nearly_all", columns=columns(40))
        part = {"limit": 80, "counts": counts(80, 200)} if at else {"counts": counts(200, 200)}
        values = answers(seed + 2, 80 if at else 200, share)
        keep(results, model, values, "part", columns=columns(len(values)), score={"total": 200}, **part)
        fewer = {"higher_is_better": False, "chance": None}
        keep(results, model, answers(seed + 3, 60, share), "errors", columns=columns(60), score=fewer)
        asked = ["other"] * 3 + [f"asked document {i}" for i in range(3, 50)] if at == 1 else None
        own = columns(50) | ({"request_hash": asked} if asked else {})
        keep(results, model, answers(seed + 4, 50, share), "asked_otherwise", columns=own)
        keep(results, model, answers(seed + 5, 50, share), "other_shots", columns=columns(50), shots=5 if at else 0)
        keep(results, model, [value / 3 for value in answers(seed + 6, 50, share)], "graded", columns=columns(50))
        shared = columns(60, cluster=[f"passage {i // 3}" for i in range(60)])
        keep(results, model, answers(seed + 7, 60, share), "passages", columns=shared)
        bare = {"scores": (score_of([1.0, 0.0]),)} if at == 0 else {"columns": columns(2)}
        keep(results, model, [] if at == 0 else [1.0, 0.0], "bare", **bare)
        cut = counts(45, 45, truncated=at)
        keep(results, model, answers(seed + 8, 45, share), "cut", columns=columns(45), counts=cut)
        group(results, model, "by_documents", (seed, share), (80, 20))
        group(results, model, "by_tasks", (seed, share), (1, 1))


def group(results, model, name, drawn, weights):
    """A group of two tasks of 80 and 20 documents, which count in it by those weights."""
    run, (seed, share), tasks = new_run_id(), drawn, (f"{name}_one", f"{name}_two")
    made_of = []
    for at, (task, n) in enumerate(zip(tasks, (80, 20), strict=True)):
        values = answers(seed + 20 + at, n, share)
        made_of.append(keep(results, model, values, task, columns=columns(n, 100 * at), run_id=run).scores[0])
    strata = tuple(
        Stratum(weight=w / sum(weights), value=s.value, n=s.n, total=s.n, statistics=s.statistics)
        for w, s in zip(weights, made_of, strict=True)
    )
    fields = {"value": sum(each.weight * each.value for each in strata), "n": 100, "total": None}
    own = score_of([0.0], **fields, statistics=StrataStatistics(strata=strata, unit_interval=True))
    keep(results, model, [], name, scores=(own,), members=tasks, run_id=run)


def site(results, **changes) -> SiteInput:
    reader, registry = Reader(results), load_registry()
    return SiteInput(results, reader, registry, build_board(reader, registry), "0.0.test", **changes)


def written(made, folder) -> dict[str, str]:
    """The pages as files; address → path."""
    paths = {}
    for address, html in made:
        path = folder / address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, "utf-8")
        paths[address] = path.as_uri()
    return paths
