"""A pytest plugin: lm-eval's own tests of its Hugging Face model, with minizoo's model in that one's place, and offline.

Started by `lm_eval_own_tests.py`, which says in MINIZOO_OWN_TESTS which folders stand in for models and tokenizers of the hub.
Where a test holds what pythia answered when it was written, lm-eval's own HFLM answers anew on the stand-in, and the test
compares with that; its code stays as it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

GIVEN = json.loads(os.environ["MINIZOO_OWN_TESTS"])
"""`engine`, `model`, `without_bos`, `with_bos`, `data`, `skipped` (test → why) and `outcomes` (the file to write)."""
MODELS = re.compile(r"EleutherAI/pythia-\w+(-deduped)?")
TOKENIZERS = {"EleutherAI/pythia-14m": "without_bos", "allenai/OLMo-3-7B-Instruct": "with_bos"}
DATA = {("allenai/ai2_arc", "ARC-Easy"): "ARC-Challenge"}
"""What the mirror lacks → what of the same data set and form stands in."""
OUTCOMES: dict[str, dict[str, str]] = {}
REAL: dict[str, Any] = {}


def pytest_configure() -> None:
    """Before a test file is imported: the names that they import are ours."""
    import lm_eval.models.huggingface as huggingface
    from lm_eval.api.registry import model_registry

    REAL["HFLM"] = _here(huggingface.HFLM)
    ours = REAL["HFLM"] if GIVEN["engine"] == "hf" else _here(_minizoo_model())
    REAL["ours"] = ours
    huggingface.HFLM = ours
    for name in ("hf", "hf-auto", "huggingface"):
        model_registry._objs[name] = ours
    _serve_data()
    _serve_tokenizers()


def _minizoo_model() -> Any:
    from harness.lmeval.model import MinizooLM

    return MinizooLM


def _here(model: Any) -> Any:
    """The class, which opens the stand-in where a model of the hub is named."""

    def opened(self: Any, pretrained: Any, *args: Any, **kwargs: Any) -> None:
        known = isinstance(pretrained, str) and MODELS.fullmatch(pretrained)
        model.__init__(self, GIVEN["model"] if known else pretrained, *args, **kwargs)

    return type(model.__name__, (model,), {"__init__": opened})


def _serve_data() -> None:
    from lm_eval.api.task import ConfigurableTask

    from harness.data.mirror import mirrored

    build = ConfigurableTask.__init__

    def built(
        self: Any, data_dir: Any = None, cache_dir: Any = None, download_mode: Any = None, config: Any = None
    ) -> None:
        if "/" in config["dataset_path"]:  # of the hub: no format of local files
            name = DATA.get((config["dataset_path"], config.get("dataset_name")), config.get("dataset_name"))
            shots = config.get("num_fewshot") or 0
            config = {**config, **mirrored({**config, "dataset_name": name}, shots, Path(GIVEN["data"]))}
        build(self, data_dir, cache_dir, download_mode, config)

    ConfigurableTask.__init__ = built


def _serve_tokenizers() -> None:
    from transformers import AutoTokenizer

    load: Callable[..., Any] = AutoTokenizer.from_pretrained
    AutoTokenizer.from_pretrained = lambda name, *args, **kwargs: load(
        GIVEN[TOKENIZERS[name]] if name in TOKENIZERS else name, *args, **kwargs
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    recorded: set[type] = set()
    for item in items:
        if why := GIVEN["skipped"].get(item.nodeid):
            item.add_marker(pytest.mark.skip(reason=why))
        holder = getattr(item, "cls", None)
        if holder is not None and hasattr(holder, "MULTIPLE_CH_RES") and holder not in recorded:
            recorded.add(holder)
            _record(holder)


def _record(holder: Any) -> None:
    """HFLM's own answers to the requests of the class, in place of those of pythia."""
    lm = REAL["HFLM"](pretrained=GIVEN["model"], device="cpu", dtype="float32")
    holder.MULTIPLE_CH_RES = [answer[0] for answer in lm.loglikelihood(holder.MULTIPLE_CH)]
    holder.generate_until_RES = lm.generate_until(holder.generate_until)
    holder.ROLLING_RES = lm.loglikelihood_rolling(holder.ROLLING)


@pytest.fixture(autouse=True)
def _table_of_hflm(request: pytest.FixtureRequest) -> None:
    """The file that `test_printed_results` reads is written by HFLM on the stand-in."""
    if getattr(request.node, "originalname", "") == "test_printed_results":
        with _hflm_registered():
            _write_table(**{k: v for k, v in request.node.callspec.params.items() if k != "on_ci"})


@contextmanager
def _hflm_registered() -> Iterator[None]:
    from lm_eval.api.registry import model_registry

    model_registry._objs["hf"] = REAL["HFLM"]
    try:
        yield
    finally:
        model_registry._objs["hf"] = REAL["ours"]


def _write_table(task_name: list[str], limit: int, model: str, model_args: str) -> None:
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.utils import make_table

    results = simple_evaluate(
        model=model, tasks=task_name, limit=limit, model_args=model_args, bootstrap_iters=0,
        random_seed=0, numpy_random_seed=0, torch_random_seed=0, fewshot_random_seed=0,
    )  # fmt: skip
    words = ("-".join(task_name), str(limit), model, re.sub(r"[^a-zA-Z0-9_\-.]", "-", model_args))
    Path("tests/testdata", "_".join(words) + ".txt").write_text(make_table(results))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longreprtext[-400:]
        OUTCOMES[report.nodeid] = {"outcome": report.outcome, "reason": reason}


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome != "passed":
        OUTCOMES[report.nodeid] = {"outcome": report.outcome, "reason": str(report.longrepr)[-400:]}


def pytest_unconfigure() -> None:
    Path(GIVEN["outcomes"]).write_text(json.dumps(OUTCOMES, indent=1))
