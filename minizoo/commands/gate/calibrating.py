"""`minizoo gate --calibrate N`: identical code run again with other digits, and what that changed written to a file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from minizoo.output import Column, Output, note


@dataclass(frozen=True)
class Calibration:
    """What is run again, and how often."""

    runs: int
    model: str
    suite: str | None
    limit: int | None
    device: str
    data: Path | None

    def run(self, output: Output, file: Path | None) -> int:
        """Run, write the file, show it."""
        from backends.contract import Options
        from harness.accuracy.prepare import DocumentRules, EvalRequest
        from harness.gates.noise.calibration import calibrate
        from harness.gates.noise.file import DEFAULT, save_noise
        from harness.suites.suite import TaskSelection

        request = EvalRequest(
            self.model, None, None,
            selection=TaskSelection((self.suite,) if self.suite else (), (), None, False),
            backend=None,
            options=Options(self.device, "auto", eager=False),
            rules=DocumentRules(self.limit, None, 1),
            data=self.data,
            seed=0,
        )  # fmt: skip
        made = calibrate(request, self.runs, note)
        path = file or DEFAULT
        save_noise(path, made)
        if output.as_json:
            output.document("gate-noise", {"file": str(path), "noise": made.model_dump(mode="json", by_alias=True)})
            return 0
        columns = [Column("task", importance=9), Column("n", True), Column("runs", True), Column("lost", True, 5)]
        columns += [Column("gained", True, 5), Column("changed, mean", True, 3), Column("most", True, 4)]
        columns += [Column("Δ log p, lowest mean", True, 4)]
        rows = [
            [one.task, f"{one.documents:,}", str(one.runs), str(one.lost), str(one.gained),
             f"{100 * one.discordance:.2f} %", f"{100 * one.highest:.2f} %",
             f"{one.gold.lowest_mean:+.2g}" if one.gold else "–"]
            for one in made.tasks
        ]  # fmt: skip
        output.table(
            columns, rows, f"Identical code, {self.runs} times more: {made.model} on {made.suite} ({made.device})"
        )
        output.text(f"Written to {path}, which `minizoo gate` reads.")
        return 0


def calibration_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--calibrate` and what it runs; the command gets them as `calibration`, None without `--calibrate`."""

    @click.option(
        "--calibrate", "runs", type=click.IntRange(min=1), metavar="N",
        help="Decide nothing: run --model N times more with other dtypes, row budgets and threads, and write what changed.",
    )  # fmt: skip
    @click.option("--model", help="With --calibrate: the model.")
    @click.option("--suite", help="With --calibrate: suite by name or YAML file, else the model's own.")
    @click.option("--limit", type=click.IntRange(min=1), help="With --calibrate: documents a task.")
    @click.option("--device", default="auto", show_default=True, help="With --calibrate: cpu, cuda, cuda:1, or auto.")
    @click.option(
        "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="MINIZOO_DATA",
        help="With --calibrate: local mirror of hub data sets.",
    )  # fmt: skip
    @functools.wraps(command)
    def with_calibration(
        *, runs: int | None, model: str | None, suite: str | None, limit: int | None, device: str, data: Path | None,
        **rest: Any,
    ) -> Any:  # fmt: skip
        if runs is None:
            told = {"--model": model, "--suite": suite, "--limit": limit}
            if given := [option for option, value in told.items() if value is not None]:
                raise click.UsageError(f"{given[0]} goes with --calibrate.")
            return command(calibration=None, **rest)
        if model is None:
            raise click.UsageError("--calibrate needs --model.")
        return command(calibration=Calibration(runs, model, suite, limit, device, data), **rest)

    return with_calibration
