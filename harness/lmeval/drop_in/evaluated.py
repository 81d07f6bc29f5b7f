"""What lm-eval's evaluator was given and what it returned, held until its files are written."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.lmeval.drop_in.recorded import RunFacts
from harness.lmeval.drop_in.replacing import replaced

SEEDS = {
    "random_seed": "random_seed",
    "numpy_seed": "numpy_random_seed",
    "torch_seed": "torch_random_seed",
    "fewshot_seed": "fewshot_random_seed",
}
"""A seed in lm-eval's result files → the argument of `simple_evaluate` that gives it."""
ASKED = ("num_fewshot", "gen_kwargs", "predict_only")
EVALUATED = ("limit", "samples", "system_instruction", "apply_chat_template", "fewshot_as_multiturn")


@dataclass
class Evaluated:
    """One evaluation: the model without lm-eval's cache around it, its answered tasks, lm-eval's results, what was asked."""

    lm: Any
    task_dict: Mapping[str, Any]
    results: Mapping[str, Any]
    facts: RunFacts


@dataclass
class _Held:
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    done: list[Evaluated] = field(default_factory=list[Evaluated])


@contextmanager
def held(check: Callable[[Mapping[str, Any]], None]) -> Generator[list[Evaluated]]:
    """Inside, each of lm-eval's evaluations is put on the list as it ends; `check` may refuse its tasks before it begins."""
    from lm_eval import evaluator

    kept = _Held()
    with (
        replaced(evaluator, "simple_evaluate", _asking(kept, evaluator.simple_evaluate)),
        replaced(evaluator, "evaluate", _evaluating(kept, evaluator.evaluate, check)),
    ):
        yield kept.done


def _asking(kept: _Held, simple_evaluate: Callable[..., Any]) -> Callable[..., Any]:
    def asking(*args: Any, **given: Any) -> Any:
        kept.asked = _arguments(simple_evaluate, args, given)
        return simple_evaluate(*args, **given)

    return asking


def _evaluating(
    kept: _Held, evaluate: Callable[..., Any], check: Callable[[Mapping[str, Any]], None]
) -> Callable[..., Any]:
    def evaluating(*args: Any, **given: Any) -> Any:
        told = _arguments(evaluate, args, given)
        check(told["task_dict"]["tasks"])
        began, clock = datetime.now(UTC), time.monotonic()
        results = evaluate(*args, **given)
        if results is not None:  # of several processes one has the results
            facts = _facts(kept.asked, told, began, time.monotonic() - clock)
            kept.done.append(Evaluated(_uncached(told["lm"]), told["task_dict"], results, facts))
        return results

    return evaluating


def _facts(asked: Mapping[str, Any], told: Mapping[str, Any], began: datetime, seconds: float) -> RunFacts:
    return RunFacts(
        began,
        seconds,
        **{name: asked[name] for name in ASKED},
        **{name: told[name] for name in EVALUATED},
        seeds={name: asked[argument] for name, argument in SEEDS.items()},
    )


def _arguments(function: Callable[..., Any], args: tuple[Any, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(function).bind(*args, **given)
    bound.apply_defaults()
    return dict(bound.arguments)


def _uncached(lm: Any) -> Any:
    """The model itself, where lm-eval put its cache of answers around it."""
    from lm_eval.api.model import CachingLM

    return lm.lm if isinstance(lm, CachingLM) else lm
