"""`minizoo gate`: a policy over two sides, or over every baseline and the newest run of its model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minizoo.commands.gate.calibrating import Calibration, calibration_options
from minizoo.options import results_option
from minizoo.output import Output, json_option, note

if TYPE_CHECKING:
    from harness.gates.gate import GateOutcome
    from harness.gates.loading import PolicyFile
    from harness.gates.noise.file import NoiseFile
    from harness.gates.plan import Pair


@click.command(short_help="Decide by a policy whether a model got worse, or is good enough to release.")
@click.argument("sides", nargs=-1, metavar="[REFERENCE CANDIDATE]")
@click.option("--policy", help="Policy by name (nightly, release, research) or YAML file.")
@click.option(
    "--baselines", type=click.Path(path_type=Path),
    help="File of baselines; ./baselines.yaml where it is there. Without sides, each is compared with its model's newest run.",
)  # fmt: skip
@click.option(
    "--noise", type=click.Path(path_type=Path),
    help="File of --calibrate, to read or to write; ./gate-noise.json where it is there.",
)  # fmt: skip
@click.option("--markdown", is_flag=True, help="Print GitHub's Markdown, for $GITHUB_STEP_SUMMARY, instead of tables.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit's XML there as well.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever the verdict is.")
@calibration_options
@results_option
@json_option
def gate(
    sides: tuple[str, ...], policy: str | None, baselines: Path | None, noise: Path | None, markdown: bool, junit: Path | None,
    exit_zero: bool, calibration: Calibration | None, results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Decide by a policy whether CANDIDATE got worse than REFERENCE, or is good enough to release.

    Both are models, runs, baselines or folders of lm-eval's output, as for `minizoo compare`. Exit code 0 passed, 1 regressed,
    3 undecided in a tier that fails for it, or nothing compared.
    """
    if calibration is not None:
        if sides or policy or markdown or junit:
            raise click.UsageError(
                "--calibrate compares nothing: give it --model, and no sides, --policy or form of output."
            )
        return calibration.run(Output(as_json), noise)
    if policy is None:
        raise click.UsageError("Missing option '--policy'.")
    if len(sides) not in (0, 2):
        raise click.UsageError("Give both REFERENCE and CANDIDATE, or neither for every baseline.")
    if markdown and as_json:
        raise click.UsageError("--markdown and --json exclude each other.")
    from harness.gates.gate import gate_pairs
    from harness.gates.loading import load_policy
    from harness.gates.pairs import trials_in

    file = load_policy(policy)
    pairs = _pairs(sides, results, baselines)
    _check_names(file, pairs)
    outcome = gate_pairs(file, pairs, _noise(noise), trials_of=trials_in(results, _baselines(baselines)))
    if junit is not None:
        _write_junit(junit, outcome)
    _show(Output(as_json), outcome, markdown)
    if exit_zero and outcome.exit_code:
        note(f"The verdict's exit code {outcome.exit_code} is held back by --exit-zero.")
    return 0 if exit_zero else outcome.exit_code


def _pairs(sides: tuple[str, ...], results: Path, baselines: Path | None) -> list[Pair]:
    from harness.gates.pairs import baseline_pairs, named_pair

    if sides:
        reference, candidate = sides
        return [named_pair(reference, candidate, results, baselines, _given)]
    return baseline_pairs(_baselines(baselines), results)


def _baselines(given: Path | None) -> Path:
    from harness.compare.resolve import BASELINES

    return given or BASELINES


def _given() -> Any:
    """What lm-eval itself knows of its files: which way is better, and how a metric is aggregated."""
    from harness.imports.drafts import Given
    from harness.lmeval.estimates import aggregated
    from harness.lmeval.scores import higher_is_better

    return Given(direction=higher_is_better, aggregated=aggregated)


def _check_names(file: PolicyFile, pairs: list[Pair]) -> None:
    from harness.gates.loading import Known, check_names
    from harness.gates.plan import tasks_of
    from harness.speed.workloads.workload import workload_names

    sides = [side for pair in pairs for side in (pair.a, pair.b)]
    keys = [key for side in sides for key in side.results]
    measured = [record.speed.workload for side in sides for record in side.speed if record.speed]
    known = Known(
        tasks=frozenset(task for pair in pairs for task in tasks_of(pair)) | {key.task for key in keys},
        metrics=frozenset(key.metric for key in keys),
        workloads=frozenset([*workload_names(), *measured]),
    )
    check_names(file, known)


def _noise(given: Path | None) -> NoiseFile | None:
    from harness.gates.noise.file import DEFAULT, load_noise

    if given is None and not DEFAULT.is_file():
        return None
    return load_noise(given or DEFAULT)


def _write_junit(path: Path, outcome: GateOutcome) -> None:
    from minizoo.display.gate.junit import junit
    from zoo.errors import NotWritable
    from zoo.files import write_atomically

    try:
        write_atomically(path, junit(outcome))
    except OSError as error:
        raise NotWritable(
            f"{path} cannot be written ({error.strerror or error}).", "Give --junit another path."
        ) from None


def _show(output: Output, outcome: GateOutcome, markdown: bool) -> None:
    if output.as_json:
        from harness.gates.outcome import document

        output.document("gate", document(outcome))
    elif markdown:
        from minizoo.display.gate.markdown import summary

        output.text(summary(outcome).rstrip("\n"))
    else:
        from minizoo.display.gate.terminal import show_gate

        show_gate(output, outcome)
