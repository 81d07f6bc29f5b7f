"""Options that several commands share."""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

results_option = click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("results"),
    envvar="MINIZOO_RESULTS",
    show_default=True,
    help="Folder of the records and the database.",
)


MODEL_HELP = "Registry name, hub id, or folder of a checkpoint."


def model_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The model, given as the first argument or as `--model`; the command gets it as `model`."""

    @click.argument("word", required=False, metavar="[MODEL]")
    @click.option("--model", "option", metavar="MODEL", help=MODEL_HELP)
    @functools.wraps(command)
    def with_model(*, word: str | None, option: str | None, **options: Any) -> Any:
        if word is not None and option is not None:
            from zoo.errors import ConflictingOptions

            raise ConflictingOptions(
                f"The model is given twice, as {word} and as --model {option}.", "Give it once, in either way."
            )
        if (model := option if word is None else word) is None:
            raise click.UsageError("Missing argument 'MODEL' (or option '--model').")
        return command(model=model, **options)

    return with_model


def models_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """One model or several, given as arguments or each by a `--model`; the command gets them as `models`."""

    @click.argument("words", nargs=-1, metavar="[MODEL]...")
    @click.option("--model", "options", metavar="MODEL", multiple=True, help=f"{MODEL_HELP} Repeatable.")
    @functools.wraps(command)
    def with_models(*, words: tuple[str, ...], options: tuple[str, ...], **rest: Any) -> Any:
        if words and options:
            from zoo.errors import ConflictingOptions

            raise ConflictingOptions(
                f"The model is given twice, as {' '.join(words)} and as --model {' --model '.join(options)}.",
                "Give it once, in either way.",
            )
        if not (models := words or options):
            raise click.UsageError("Missing argument 'MODEL' (or option '--model').")
        return command(models=models, **rest)

    return with_models


def local_model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What a user says of a model that no registry has: `--name` and `--parent`."""
    name = click.option("--name", help="What results call a folder or a hub model that is in no registry.")
    parent = click.option("--parent", help="The model that it was made from, where its minizoo.json does not say so.")
    return name(parent(command))


def eager_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--eager`, and the old word `--exact` for it."""
    return click.option(
        "--eager", "--exact", "eager", is_flag=True,
        help="Score in the engine's plain form, without sharing prefixes: the slow reference, which the default equals but for "
        "rounding. --exact is the old word.",
    )(command)  # fmt: skip


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where and how an engine runs beside `--device`: `--devices`, `--workers`, `--python`, `--worker-command`, `--engine-arg`.

    The command gets them as `placing`, fields of `backends.contract.Options`.
    """

    @click.option(
        "--devices",
        metavar="D,E",
        help="Devices that share the work, a worker each. [default: every GPU, where --device names none]",
    )
    @click.option("--workers", type=click.IntRange(min=1, max=1024), help="Processes that share the CPU and the work.")
    @click.option("--python", metavar="PATH", help="The interpreter that the backend's engine is installed in.")
    @click.option(
        "--worker-command",
        metavar="WORDS",
        callback=command_words,
        help="A container for workers: words before their own, where {socket}, {served} and {model} are folders to mount.",
    )
    @click.option(
        "--engine-arg",
        "engine",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_engine_args,
        help="A setting of the backend's engine by its own name, e.g. tensor_parallel_size=2. Repeatable.",
    )
    @functools.wraps(command)
    def placed(
        *, devices: str | None, workers: int | None, python: str | None, worker_command: tuple[str, ...],
        engine: dict[str, Any], **options: Any,
    ) -> Any:  # fmt: skip
        named = ("all",) if devices is None else names_of(devices)
        if not named:
            raise click.BadParameter("no device is named.", param_hint="'--devices'")
        placing = {
            "devices": named, "workers": workers or 0, "python": python, "worker_command": worker_command, "engine": engine,
        }  # fmt: skip
        return command(placing=placing, **options)

    return placed


def node_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Other machines that share the work: `--ray`, `--nodes` and `--accelerator`. They go into `placing`, as `nodes`."""

    @click.option(
        "--ray", metavar="ADDRESS", help="Run on nodes of the Ray cluster at HOST:PORT; auto: this machine's."
    )
    @click.option(
        "--nodes", type=click.IntRange(min=1), help="With --ray: nodes that share the work, a device each. [default: 1]"
    )
    @click.option(
        "--accelerator", metavar="NAME", help="With --ray: the GPU that each must have (h100-sxm, l4 …), or cpu."
    )
    @functools.wraps(command)
    def on_nodes(
        *, ray: str | None, nodes: int | None, accelerator: str | None, placing: dict[str, Any], **options: Any
    ) -> Any:
        if ray is None:
            if nodes is not None or accelerator is not None:
                raise click.UsageError("--nodes and --accelerator go with --ray: they are of a cluster's machines.")
            return command(placing=placing, **options)
        from backends.contract import Nodes

        return command(placing={**placing, "nodes": Nodes(ray, nodes or 1, accelerator)}, **options)

    return on_nodes


def command_words(_context: click.Context, _option: click.Parameter, words: str | None) -> tuple[str, ...]:
    """Callback of an option that is a command line: its words; none where it is not given."""
    return _split(words)


def _engine_args(_context: click.Context, _option: click.Parameter, words: tuple[str, ...]) -> dict[str, Any]:
    """Names and values; a value that is JSON (8, 0.9, true, null) is taken as such, any other as text."""
    found: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name.isidentifier():
            raise click.BadParameter(f"{word!r} is not NAME=VALUE.")
        if name in found:
            raise click.BadParameter(f"{name} is given twice.")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def names_of(words: str) -> tuple[str, ...]:
    """The names in a list separated by commas."""
    return tuple(word for word in map(str.strip, words.split(",")) if word)


def sandbox_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How code that a model wrote is kept apart: `--sandbox-command` and `--allow-unsandboxed-code`, for this process."""
    own = click.option(
        "--sandbox-command", metavar="WORDS", callback=_take_command, expose_value=False,
        help="Your own command that isolates the Python given after it, instead of minizoo's ways; it is tried out first.",
    )  # fmt: skip
    none = click.option(
        "--allow-unsandboxed-code", is_flag=True, callback=_take_permission, expose_value=False,
        help="Run generated code even where nothing can isolate it.",
    )  # fmt: skip
    return own(none(command))


def _take_command(_context: click.Context, _option: click.Parameter, words: str | None) -> None:
    from harness.sandbox.tiers import CHOICE

    CHOICE.command = _split(words)


def _split(words: str | None) -> tuple[str, ...]:
    """The words of a command line, as a shell has them; none where the option is not given."""
    try:
        command = tuple(shlex.split(words or ""))
    except ValueError as error:
        raise click.BadParameter(f"{words!r} is not a command line ({error}).") from None
    if words is not None and not command:
        raise click.BadParameter("the command is empty.")
    return command


def _take_permission(_context: click.Context, _option: click.Parameter, allowed: bool) -> None:
    from harness.sandbox.tiers import CHOICE

    CHOICE.allow_none = allowed
