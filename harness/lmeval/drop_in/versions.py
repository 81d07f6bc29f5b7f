"""Which lm-eval is installed: another version than the pinned one is told, and refused where an interface is gone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from importlib import import_module
from importlib.metadata import version

from harness.lmeval.loading.index import PINNED
from zoo.errors import LmEvalChanged

COMMAND_LINE: Mapping[str, str] = {
    "lm_eval._cli.HarnessCLI.parse_args": "read the command line",
    "lm_eval._cli.HarnessCLI.execute": "run it",
}
RUN: Mapping[str, str] = {
    "lm_eval.evaluator.simple_evaluate": "learn what was asked of a run",
    "lm_eval.evaluator.evaluate": "record what a run measured",
    "lm_eval.config.evaluate_config.EvaluatorConfig.load_yaml_config": "read a configuration file",
    "lm_eval.utils.setup_logging": "show its lines",
    "lm_eval.api.model.CachingLM": "find the model behind its cache",
    "lm_eval.api.registry.model_registry": "be one of its models",
    "lm_eval.api.task.ConfigurableTask.fewshot_docs": "serve few-shot examples from a mirror",
    "lm_eval.tasks._factory.TaskFactory._build_task": "name the task whose data are missing",
    "lm_eval.tasks._yaml_loader.load_yaml": "tell which task files cannot be read",
    "lm_eval.models.MODEL_MAPPING": "keep its own models beside minizoo",
    "datasets.load.load_dataset_builder": "serve data sets from a mirror",
}
"""Interface → what it is used for. Those of `RUN` take a second to import."""


def pinned() -> bool:
    """Whether the installed lm-eval is the version that minizoo was tried with."""
    return version("lm-eval") == PINNED


def untested() -> str | None:
    """What is to be told of another version than the pinned one."""
    if pinned():
        return None
    return f"lm-eval {version('lm-eval')} is installed; minizoo is tested with {PINNED}, and this one is untested."


def check(interfaces: Mapping[str, str]) -> None:
    """Raise LmEvalChanged for the first interface that the installed packages lack."""
    for name, use in interfaces.items():
        if not _is_there(name):
            package = name.partition(".")[0].replace("_", "-")
            raise LmEvalChanged(
                f"{package} {version(package)} has no `{name}`, which minizoo uses to {use}.",
                f"Install what minizoo was tested with: `pip install lm-eval=={PINNED}`.",
            )


def _is_there(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            module = import_module(".".join(parts[:end]))
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):  # what the module itself needs is missing
                raise
            continue
        try:
            reduce(getattr, parts[end:], module)
        except AttributeError:
            return False
        return True
    return False
