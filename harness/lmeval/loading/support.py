"""What of lm-eval's task files is run, and what is refused by name before any data is read.

Run is all that lm-eval itself runs on text: each of its four output types, its filters, metrics, aggregations and samplers,
and what a task's own functions do. Refused is what needs images or sound, what runs generated code in the measuring process,
a generation setting that would change the outcome, and what lm-eval itself cannot load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.lmeval.loading.generation import refusal
from harness.lmeval.loading.index import function_of, lm_eval_tasks
from zoo.errors import HubUnreachable, InvalidTask, MinizooError, UnsafeTask, UnsupportedRequest

Config = Mapping[str, Any]
Check = Callable[[str, Config], MinizooError | None]

OUTPUT_TYPES = ("loglikelihood", "loglikelihood_rolling", "multiple_choice", "generate_until")
DEFAULT_OUTPUT_TYPE = "generate_until"
"""lm-eval's, of a task file that names none."""
MEDIA = {"doc_to_image": "images", "doc_to_audio": "sound"}
OUTSIDE_CONFIG = {"tag", "group", "task_list", "class"}
"""Keys of a task file that lm-eval takes out before it makes the task's configuration."""
JUDGED: Mapping[str, frozenset[str]] = {
    "loglikelihood": frozenset({"acc", "perplexity"}),
    "loglikelihood_rolling": frozenset({"word_perplexity", "byte_perplexity", "bits_per_byte"}),
    "multiple_choice": frozenset(
        {"acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "brier_score", "likelihood", "f1", "mcc"}
    ),
}
"""Output type → the metrics that lm-eval's own judging computes there; of a generation it calls each metric's function."""


def refused(name: str, config: Config) -> tuple[str, MinizooError] | None:
    """Why a task with this YAML (its functions as paths) is not run: the word of the first check that fails, and the error.

    A task that is a Python class says by its requests alone what it asks for: see `check_loaded` and `check_requests`.
    """
    for word, check in CHECKS.items():
        if error := check(name, config):
            return word, error
    return None


def check_loaded(name: str, task: Any) -> None:
    """Raise for what only the loaded task tells: metrics and aggregations that there are not."""
    judged = getattr(task.config, "process_results", None) is not None or task.OUTPUT_TYPE != "generate_until"
    for metric, function in getattr(task, "_metric_fn_list", {}).items():
        if function is None and not judged:
            raise HubUnreachable(
                f"Task {name}: metric {metric} is none of lm-eval's own, and the evaluate library cannot load it.",
                "Correct its name in the task's YAML, or run again with the network up.",
            )
    for metric, function in task.aggregation().items():
        if not callable(function):
            raise InvalidTask(
                f"Task {name}: metric {metric} has no aggregation that lm-eval knows.", "Name one in its YAML."
            )


def task_class(config: Config) -> Any:
    """The Python class of a task file; None for one of YAML, or whose module cannot be imported: loading it says why."""
    named = config.get("class")
    if not isinstance(named, str):
        return named
    try:
        return function_of(named)
    except Exception:  # whatever the module raises
        return None


def is_function(value: Any) -> bool:
    """Whether it is a `!function` of a task file, as a path where functions are not resolved."""
    return callable(value) or (isinstance(value, str) and Path(value).is_absolute())


def _output_type(name: str, config: Config) -> MinizooError | None:
    kind = config.get("output_type", DEFAULT_OUTPUT_TYPE)
    if kind not in OUTPUT_TYPES:
        return InvalidTask(f"Task {name} has output_type {kind!r}.", f"lm-eval knows {', '.join(OUTPUT_TYPES)}.")
    if kind == "multiple_choice" and config.get("doc_to_choice") is None and config.get("use_prompt") is None:
        return InvalidTask(f"Task {name} is multiple choice without doc_to_choice.", "Add it to the task's YAML.")
    return None


def _media(name: str, config: Config) -> MinizooError | None:
    wanted = [word for key, word in MEDIA.items() if config.get(key)]
    if not wanted and getattr(task_class(config), "MULTIMODAL", False):
        wanted = ["images or sound"]
    return _wants(name, " and ".join(wanted)) if wanted else None


def _wants(name: str, media: str) -> UnsupportedRequest:
    return UnsupportedRequest(f"Task {name} shows the model {media}.", "minizoo runs text alone: leave the task out.")


def _unsafe(name: str, config: Config) -> MinizooError | None:
    """lm-eval's own code tasks run what a model writes in this very process, and so do tasks that use their functions."""
    if config.get("unsafe_code", False) is False:
        return None
    theirs = [
        value for value in _functions(config) if isinstance(value, str) and Path(value).is_relative_to(lm_eval_tasks())
    ]
    if not theirs:
        return None
    return UnsafeTask(
        f"Task {name} of lm-eval runs what the model writes inside the measuring process, so it is not loaded.",
        "minizoo's own `humaneval` and `mbpp_0shot` run it in a sandbox.",
    )


def _functions(value: Any) -> Iterator[Any]:
    """Every `!function` anywhere in the YAML."""
    if isinstance(value, Mapping):
        for below in value.values():
            yield from _functions(below)
    elif isinstance(value, list):
        for below in value:
            yield from _functions(below)
    elif is_function(value):
        yield value


def _brings_code(config: Config) -> bool:
    """Whether a module of its own comes with the task, which may register filters, metrics and aggregations."""
    return next(_functions({key: config[key] for key in config if key != "dataset_kwargs"}), None) is not None


def _generation(name: str, config: Config) -> MinizooError | None:
    kwargs = config.get("generation_kwargs")
    if config.get("output_type", DEFAULT_OUTPUT_TYPE) != "generate_until" or kwargs is None:
        return None
    reason = refusal(kwargs)
    return UnsupportedRequest(f"Task {name} is not run: {reason}.", "Leave the task out.") if reason else None


def _keys(name: str, config: Config) -> MinizooError | None:
    from lm_eval.config.task import TaskConfig

    foreign = sorted(config.keys() - TaskConfig.__dataclass_fields__.keys() - OUTSIDE_CONFIG)
    if foreign:
        return InvalidTask(f"Task {name} has keys that lm-eval does not know: {', '.join(foreign)}.", "Take them out.")
    return None


def _counts(name: str, config: Config) -> MinizooError | None:
    for key, least in {"num_fewshot": 0, "repeats": 1}.items():
        value = config.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            return InvalidTask(f"Task {name} has {key}: {value!r}.", f"Write a whole number of {least} or more.")
    return None


def _filters(name: str, config: Config) -> MinizooError | None:
    from lm_eval.filters import filter_registry

    for pipeline in config.get("filter_list") or ():
        steps = pipeline.get("filter") if isinstance(pipeline, Mapping) and "name" in pipeline else None
        if not isinstance(steps, list) or not all(isinstance(step, Mapping) and "function" in step for step in steps):
            return InvalidTask(
                f"Task {name}: {pipeline!r} is no filter.", "Give it `name`, and in `filter` a list of steps."
            )
        foreign = [step["function"] for step in steps if step["function"] not in filter_registry]
        if foreign and not _brings_code(config):
            return InvalidTask(f"Task {name}: filter {foreign[0]!r} is none of lm-eval's.", _among(filter_registry))
    return None


def _metrics(name: str, config: Config) -> MinizooError | None:
    from lm_eval.api import metrics as _fills_the_registries
    from lm_eval.api.registry import aggregation_registry, metric_agg_registry

    assert _fills_the_registries
    listed = config.get("metric_list")
    if listed is None:
        return None
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) and "metric" in entry for entry in listed):
        return InvalidTask(
            f"Task {name}: metric_list is no list of entries with `metric`.", "Write it as lm-eval's tasks do."
        )
    for entry in listed:
        aggregation, metric = entry.get("aggregation"), str(entry["metric"])
        if aggregation is None:
            if (metric := metric.rpartition(".")[2]) not in metric_agg_registry:
                return InvalidTask(
                    f"Task {name}: metric {metric} has no aggregation, and lm-eval none for it.", "Name one."
                )
        elif aggregation not in aggregation_registry and not _brings_code(config):
            return InvalidTask(
                f"Task {name}: aggregation {aggregation!r} is none of lm-eval's.", _among(aggregation_registry)
            )
    judged = JUDGED.get(config.get("output_type", DEFAULT_OUTPUT_TYPE))
    if judged and config.get("process_results") is None and not any(entry["metric"] in judged for entry in listed):
        return InvalidTask(
            f"Task {name}: lm-eval computes none of its metrics ({', '.join(str(e['metric']) for e in listed)}) for "
            f"{config['output_type']}.",
            f"Take one of {', '.join(sorted(judged))}.",
        )
    return None


def _sampler(name: str, config: Config) -> MinizooError | None:
    from lm_eval.api.samplers import SAMPLER_REGISTRY

    fewshot = config.get("fewshot_config")
    sampler = fewshot.get("sampler", "default") if isinstance(fewshot, Mapping) else "default"
    if is_function(sampler) or sampler in SAMPLER_REGISTRY:
        return None
    return InvalidTask(f"Task {name}: sampler {sampler!r} is none of lm-eval's.", _among(SAMPLER_REGISTRY))


def _among(names: Any) -> str:
    return f"There are {', '.join(sorted(names))}."


def _of_yaml(check: Check) -> Check:
    """The check, for a task that is no class of its own."""
    return lambda name, config: None if "class" in config else check(name, config)


CHECKS: Mapping[str, Check] = {
    "runs generated code": _unsafe,
    "images or sound": _media,
    **{
        word: _of_yaml(check)
        for word, check in {
            "output type": _output_type,
            "generation settings": _generation,
            "unknown keys": _keys,
            "shots or repeats": _counts,
            "filters": _filters,
            "metrics": _metrics,
            "sampler": _sampler,
        }.items()
    },
}
"""Word of the refusal → its check, in the order in which they are made."""
