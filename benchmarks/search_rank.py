"""What a search gives up by stopping early, over seeds that each have their own teacher, text, candidates and order of data.

    python benchmarks/search_rank.py --out benchmarks/search_rank.json

Every candidate of a seed is trained twice: as a search trains it, for a quarter of the tokens at most, and for all of them
with a rate that falls to the end. The stopping rule is given the first losses and names a winner; the second losses, on
documents that ranked nothing, say what that winner is worth. Given up is its loss minus that of the best candidate.

Trained seeds stay in `--work`: a run that is killed goes on there, and one that is done judges again without training. Exits 1
where a bar is missed: a quarter of the tokens at most, in every seed, and at most 0.01 nat given up in 90 % of the seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from benchmarks.search_seeds.seed import SETTING, found_in, run_seed  # noqa: E402
from harness.stats.intervals import wilson_interval  # noqa: E402
from zoo.search.stopping import Rung, StopRule, point_losses, replay  # noqa: E402

GIVEN_UP, SEEDS_WITHIN, TOKENS = 0.01, 0.9, 0.25


def main() -> int:
    args = _arguments()
    seeds = _trained(args)
    if None in seeds.values():
        return 3
    judged = judge({seed: found for seed, found in seeds.items() if found is not None}, StopRule())
    print(told(judged))
    if args.out:
        setting = {"digest": SETTING.digest, **asdict(SETTING), "rule": asdict(StopRule())}
        document = {"schema": "minizoo.search-rank/1", "made": date.today().isoformat(), "setting": setting, **judged}
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(judged["bars"].values()) else 1


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--seeds", type=int, default=20)
    words.add_argument("--processes", type=int, default=2, help="seeds at a time, a core each")
    words.add_argument("--work", type=Path, default=Path("out/search-rank"), help="folder of the trained seeds")
    words.add_argument("--out", type=Path, help="write what was found to this JSON file")
    return words.parse_args()


def _trained(args: argparse.Namespace) -> dict[int, list[dict[str, Any]] | None]:
    """What every seed left, trained where it is missing; None of one that could not be trained."""
    folders = {seed: args.work / f"seed-{seed}" for seed in range(1, args.seeds + 1)}
    missing = [seed for seed, folder in folders.items() if found_in(folder) is None]
    began = time.monotonic()
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(run_seed, seed, folders[seed]) for seed in missing]
        for done in as_completed(waiting):
            print(f"seed {done.result()} after {(time.monotonic() - began) / 60:.1f} min", file=sys.stderr, flush=True)
    return {seed: found_in(folder) for seed, folder in folders.items()}


def judge(seeds: Mapping[int, Sequence[dict[str, Any]]], rule: StopRule) -> dict[str, Any]:
    """Each seed's search, and all of them together."""
    each = [_searched(seed, candidates, rule) for seed, candidates in seeds.items()]
    count = len(each)
    within = sum(one["given_up"] <= GIVEN_UP for one in each)
    first = sum(one["given_up"] == 0 for one in each)
    others = ("best_as_cut", "best_after_first_rung", "best_after_a_quarter")
    return {
        "seeds": each,
        "within": {"nats": GIVEN_UP, **_share(within, count)},
        "winner_is_the_best": _share(first, count),
        "given_up": _spread([one["given_up"] for one in each]),
        "tokens_of_the_long_trainings": _spread([one["tokens"] for one in each]),
        "beside": {
            name: {
                "given_up": _spread([one[name] for one in each]),
                "within": _share(sum(one[name] <= GIVEN_UP for one in each), count),
            }
            for name in others
        },
        "bars": {
            "at most 0.01 nat given up in 90 % of the seeds": within >= SEEDS_WITHIN * count,
            "a quarter of the tokens in every seed": all(one["tokens"] <= TOKENS for one in each),
        },
    }


def _searched(seed: int, candidates: Sequence[dict[str, Any]], rule: StopRule) -> dict[str, Any]:
    tokens = np.array(candidates[0]["tokens_of_documents"], dtype=float)
    steps = candidates[0]["steps"]
    rungs = [Rung(step, np.array([each["nll"][at] for each in candidates])) for at, step in enumerate(steps)]
    found = replay(rungs, tokens, rule)
    long = [each["long"] for each in candidates]
    best = min(long)
    training = SETTING.training
    spent = training.tokens_at(sum(found.steps.values()))
    cut = point_losses(np.array([each["cut"] for each in candidates]), tokens)

    def lost(losses: Any) -> float:
        return long[int(np.argmin(losses))] - best

    losses = [point_losses(rung.nll, tokens) for rung in rungs]
    return {
        "seed": seed,
        "candidates": [
            {
                "shape": each["shape"],
                "parameters": each["parameters"],
                "as_cut": round(float(cut[at]), 5),
                "rungs": {step: round(float(loss[at]), 5) for step, loss in zip(steps, losses, strict=True)},
                "steps": found.steps[at],
                "long": round(long[at], 5),
            }
            for at, each in enumerate(candidates)
        ],
        "winner": found.winner,
        "long_winner": int(np.argmin(long)),
        "stop": found.stop,
        "given_up": long[found.winner] - best,
        "runner_up": sorted(long)[1] - best,
        "tokens": spent / (len(long) * SETTING.long),
        "best_as_cut": lost(cut),
        "best_after_first_rung": lost(losses[0]),
        "best_after_a_quarter": lost(losses[-1]),
    }


def _share(count: int, of: int) -> dict[str, Any]:
    """A share of seeds with Wilson's 95 % interval."""
    low, high = wilson_interval(count / of, of)
    return {"count": count, "of": of, "share": count / of, "interval": [low, high]}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "median": float(np.median(values)), "most": float(max(values))}


def told(judged: dict[str, Any]) -> str:
    """What was found, in lines."""
    lines = ["seed  winner  best  given up  runner-up  tokens  stopped by"]
    lines += [
        f"{one['seed']:4}  {one['winner'] + 1:6}  {one['long_winner'] + 1:4}  {one['given_up']:8.4f}  {one['runner_up']:9.4f}"
        f"  {one['tokens']:5.1%}  {one['stop']}"
        for one in judged["seeds"]
    ]
    spent, lost = judged["tokens_of_the_long_trainings"], judged["given_up"]
    lines += [
        "",
        f"At most {GIVEN_UP} nat given up: {_words(judged['within'])}; mean {lost['mean']:.4f}, most {lost['most']:.4f} nat.",
        f"The winner is the long trainings' best: {_words(judged['winner_is_the_best'])}.",
        f"Tokens of what all long trainings take: mean {spent['mean']:.1%}, most {spent['most']:.1%}.",
    ]
    lines += [
        f"Beside, {name.replace('_', ' ')}: {_words(one['within'])}, mean {one['given_up']['mean']:.4f} nat."
        for name, one in judged["beside"].items()
    ]
    lines += [f"{'met' if met else 'MISSED'}: {name}" for name, met in judged["bars"].items()]
    return "\n".join(lines)


def _words(share: dict[str, Any]) -> str:
    low, high = share["interval"]
    return f"{share['count']} of {share['of']} seeds ({share['share']:.0%}, 95 % interval {low:.0%} to {high:.0%})"


if __name__ == "__main__":
    sys.exit(main())
