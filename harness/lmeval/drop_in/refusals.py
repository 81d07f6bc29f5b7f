"""What of lm-eval's command line is refused by minizoo itself, most of it before anything is imported for a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.lmeval.loading.index import check_names
from zoo.errors import CodeRefused, FileMissing, LmEvalRefused, PackageMissing, UnknownName, UnsafeTask, one_line
from zoo.names import unknown

LOGGERS = {"wandb_args": "wandb", "trackio_args": "trackio"}
"""Option → the package that it needs; lm-eval notices only after the run that it is missing."""
LISTED = "`minizoo lm-eval ls tasks` lists them."
PATTERN = set("*?[/\\")
"""In a task's name: a pattern or a path, which lm-eval resolves."""


def refuse(command: str, asked: Mapping[str, Any]) -> None:
    """Raise for what will not be run of `run`, `ls` or `validate` with these options, each by its lm-eval name.

    Raises CodeRefused, FileMissing, UnknownTask, LmEvalRefused where no task is named, and PackageMissing.
    """
    _code(asked)
    if (folder := asked.get("include_path")) and not Path(folder).is_dir():
        raise FileMissing(f"--include_path {folder} is no folder.", "Give one folder; lm-eval takes one alone.")
    _tasks(command, asked)
    for option, package in LOGGERS.items():
        if asked.get(option) and find_spec(package) is None:
            raise PackageMissing(
                f"--{option} needs the package {package}, which is not installed.",
                f"`pip install {package}` brings it.",
            )


def check_model(name: str, known: Iterable[str]) -> None:
    """Raise UnknownName for a model that is none of lm-eval's and not minizoo."""
    known = list(known)
    if name not in known:
        raise unknown(UnknownName, "model", name, known, f"lm-eval has {', '.join(sorted(known))}.")


def left_out(folder: str | None) -> Iterator[str]:
    """What is to be told of the YAML files below --include_path that cannot be read: lm-eval leaves them out without a word."""
    if folder is None:
        return
    from lm_eval.tasks._yaml_loader import load_yaml

    for path in sorted(Path(folder).rglob("*.yaml")):
        try:
            load_yaml(path, resolve_func=False)
        except Exception as error:  # yaml's, the system's, or a missing file that it includes
            yield f"lm-eval leaves out {path}, which cannot be read ({one_line(error)[:200]})."


def unsafe(task: str) -> UnsafeTask:
    """The error for a task of lm-eval that runs what the model writes."""
    return UnsafeTask(
        f"Task {task} of lm-eval runs what the model writes inside the measuring process, so it is not run.",
        "minizoo runs generated code only in its sandbox: `minizoo eval MODEL --tasks humaneval`, or mbpp_0shot.",
    )


def _code(asked: Mapping[str, Any]) -> None:
    if asked.get("confirm_run_unsafe_code"):
        raise CodeRefused(
            "--confirm_run_unsafe_code would run what the model writes inside the measuring process; minizoo runs generated "
            "code only in its sandbox.",
            "Leave it out, and take `minizoo eval MODEL --tasks humaneval`, or mbpp_0shot.",
        )
    if asked.get("trust_remote_code") or _trusts(asked.get("model_args")):
        raise CodeRefused(
            "trust_remote_code would run the code that a checkpoint brings; minizoo never does.",
            "Leave it out: most such models run with the classes of transformers.",
        )


def _trusts(model_args: Any) -> bool:
    """Whether `trust_remote_code` is set in what lm-eval reads as a mapping, or as `key=value,key=value`."""
    if isinstance(model_args, str):
        pairs = (part.partition("=") for part in model_args.split(","))
        model_args = {key.strip(): value.strip() for key, _, value in pairs}
    if not isinstance(model_args, Mapping):
        return False
    return str(model_args.get("trust_remote_code") or False).lower() not in ("false", "0", "none")


def _tasks(command: str, asked: Mapping[str, Any]) -> None:
    tasks = asked.get("tasks")
    if not tasks:
        if command == "run":
            raise LmEvalRefused("No task is named, so there is nothing to run.", f"Name some with --tasks; {LISTED}")
        return
    names = [name for task in ([tasks] if isinstance(tasks, str) else tasks) for name in _named(task)]
    if asked.get("include_path") or asked.get("config"):  # which may bring tasks of their own
        return
    check_names(name for name in names if not (PATTERN & set(name) or name.endswith(".yaml") or Path(name).is_dir()))


def _named(task: Any) -> list[str]:
    return task.split(",") if isinstance(task, str) else []
