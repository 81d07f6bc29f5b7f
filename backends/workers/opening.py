"""Opening a backend in a worker."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.contract import Options, Tokenizer
from backends.tokenizer import HfTokenizer
from backends.workers.backend import WorkerBackend
from backends.workers.launch import SERVED, Launch
from backends.workers.worker import Worker
from zoo.arch.config_keys import ConfigView
from zoo.checkpoint.locate import Checkpoint

log = logging.getLogger(__name__)

TOLD = ("device", "devices", "dtype", "token_budget", "eager", "random_weights")
"""Of `Options`, what an engine file gets by the same names, beside `engine`."""


def open_worker(
    name: str,
    engine_file: str,
    checkpoint: Checkpoint,
    options: Options,
    *,
    python: str,
    environment: Mapping[str, str],
    tell: bool = True,
    tokenizer: Tokenizer | None = None,
) -> WorkerBackend:
    """Open the checkpoint in a process of `python` that runs `engine_file` (a file of `served`, or any by its path).

    `environment` is what the engine needs of variables. The engine gets as options those of `TOLD`, `engine`, `name`,
    `max_length` (the checkpoint's context), `vocabulary` (rows by config.json, or None) and `model` (what the checkpoint is
    called). `tokenizer` is the folder's where none is given. With `tell` the engine's notes are logged as warnings. Raises
    InterpreterUnfit, EngineMissing, EngineVersion, EngineRefused, DeviceMemory, WorkerDied, WorkerSilent and WorkerGarbled
    for a worker that does not come to answer a first request, errors of minizoo's own that the engine file raises, and
    TokenizerUnreadable.
    """
    tokenizer = tokenizer or HfTokenizer(checkpoint.folder)
    opening = opening_of(name, checkpoint, options)
    launch = Launch(name, SERVED / engine_file, Path(opening["folder"]), python, environment, options.worker_command)
    backend = WorkerBackend(Worker(launch, opening), tokenizer)
    if tell:
        for note in backend.notes:
            log.warning("%s", note)
    return backend


def opening_of(name: str, checkpoint: Checkpoint, options: Options) -> dict[str, Any]:
    """What an engine file is opened with: `folder` and `options`, as `open_worker` says."""
    return {"folder": str(checkpoint.folder.resolve()), "options": _told(name, checkpoint, options)}


def _told(name: str, checkpoint: Checkpoint, options: Options) -> dict[str, Any]:
    rows = ConfigView(checkpoint.config).value("vocab_size")
    ref = checkpoint.ref
    return {
        **{key: getattr(options, key) for key in TOLD},
        "engine": dict(options.engine),
        "name": name,
        "max_length": checkpoint.max_length,
        "vocabulary": rows if isinstance(rows, int) and not isinstance(rows, bool) else None,
        "model": {
            "kind": ref.kind,
            "id": ref.id,
            "name": ref.name,
            "parent": ref.parent,
            "revision": checkpoint.revision,
        },
    }
