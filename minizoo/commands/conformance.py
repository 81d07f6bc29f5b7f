"""`minizoo conformance`: whether a backend gives right numbers, asked with one model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from minizoo.options import model_argument, results_option, worker_options
from minizoo.output import Output, json_option, note

EXIT_CODES = {"passed": 0, "failed": 1, "unchecked": 3}


@click.command(short_help="Ask a backend questions whose answers are known, and keep the outcome.")
@model_argument
@click.option("--backend", help="Backend by name; without it the one that fits the model.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, or auto.")
@click.option("--endpoint", metavar="URL", help="With --backend openai: http(s)://HOST:PORT where the model is served.")
@worker_options
@click.option("--dtype", default="auto", show_default=True, help="float32, bfloat16, float16, or auto.")
@click.option(
    "--short", is_flag=True, help="Only the questions that `minizoo eval` asks of a backend that is new here."
)
@results_option
@json_option
def conformance(
    model: str, backend: str | None, device: str, endpoint: str | None, placing: dict[str, Any], dtype: str, short: bool,
    results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Ask a backend questions whose answers are known, with one model: alignment, order, batches, caches, lengths, greedy
    flags, agreement with fp32.

    The outcome covers the backend, its engine's version, the kind of device, the dtype and the model's class: scores of what
    failed are recorded as unverified. Exit code 0 where no check failed, 1 where one did, 3 where none could be asked.
    """
    if endpoint is not None and backend in (None, "hf", "pruned", "vllm", "trtllm"):
        raise click.UsageError("--endpoint goes with --backend openai: any other runs the model itself.")
    from backends.contract import Options
    from harness.conformance.ask import Question, ask
    from harness.conformance.standing import state_of
    from minizoo.display.engines.conformance import document, show_asked

    question = Question(
        model, backend, Options(device, dtype, endpoint=endpoint, **placing), "short" if short else "full"
    )
    asked = ask(question, results, None if as_json else lambda check: note(f"{check} …"))
    output = Output(as_json)
    if as_json:
        output.document("conformance", document(asked))
    else:
        show_asked(output, asked)
    return EXIT_CODES[state_of(asked.outcome)]
