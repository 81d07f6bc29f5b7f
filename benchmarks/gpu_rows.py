"""The speeds of the Minitron family on this GPU, as one bundle that anybody can take in: nothing is fetched, no weights needed.

    python benchmarks/gpu_rows.py --minutes 10     # call it again: it goes on where the last call ended
    python benchmarks/gpu_rows.py --plan           # the steps, what each needs and what does not fit; runs nothing
    python benchmarks/gpu_rows.py --wheels         # what to carry to a machine without network

Every step is a command in a process of its own: models at their true dimensions with random weights, each beside the one that
it was cut from at equal batch and in equal memory (`minizoo bench`), and scoring beside lm-eval's own model. Where TensorRT-LLM
is installed, its conformance is asked after the rows. docs/gpu-rows.md says what becomes of the bundle.

Exit code 0: every step is done; 3: something is left to do, or a row is invalid; 4: no device that can be measured, a full
disk, or another call in the same folder; 2: the command line; 130: Ctrl-C. What was measured is kept in each of these cases.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.rows import bundle, trtllm  # noqa: E402
from benchmarks.rows.card import Card, ask, check_dtype  # noqa: E402
from benchmarks.rows.command import Options  # noqa: E402
from benchmarks.rows.drive import Drive, Ending  # noqa: E402
from benchmarks.rows.family import FAMILIES, family_of, models_of  # noqa: E402
from benchmarks.rows.plan import ORDER, Conditions, Plan, Step, Sweep, gigabytes, plan_of  # noqa: E402
from benchmarks.rows.process import Runner, run_process  # noqa: E402
from benchmarks.rows.state import SETTLED, Identity, State, check_same, held, load, save  # noqa: E402
from benchmarks.rows.wheels import wheels  # noqa: E402
from minizoo import __version__  # noqa: E402
from minizoo.failures import Interrupted, as_error  # noqa: E402
from minizoo.options import names_of  # noqa: E402
from minizoo.output import Column, Output, note, show_error  # noqa: E402
from zoo.errors import DeviceMemory, FileMissing, InvalidOption, MinizooError, ResultsMissing  # noqa: E402
from zoo.registry.loader import load_registry  # noqa: E402

FEWEST_TRIALS = 6
"""That a median's interval and a comparison need."""
DTYPES = ("bfloat16", "float16", "float32")
UNFINISHED = 3
FLAG: dict[str, Any] = {"action": "store_true"}
FOLDER: dict[str, Any] = {"type": Path, "metavar": "DIR"}
LIST: dict[str, Any] = {"type": names_of, "metavar": "A,B"}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--minutes": ("of this call; no step begins past them (10)", {"type": float, "default": 10.0}),
    "--results": ("records, state and bundle (gpu-rows)", {**FOLDER, "default": Path("gpu-rows")}),
    "--family": ("its pruned base models (minitron)", {"choices": FAMILIES, "default": FAMILIES[0]}),
    "--models": ("models of the registry instead, each beside its parent", {**LIST, "default": ()}),
    "--workloads": (f"names or YAML files, in that order ({','.join(ORDER)})", {**LIST, "default": ORDER}),
    "--device": ("cuda, cuda:1, cpu; auto is the first GPU (auto)", {"default": "auto"}),
    "--dtype": ("of weights, caches and products (bfloat16)", {"choices": DTYPES, "default": DTYPES[0]}),
    "--trials": ("of a point at least (6, the fewest that can be compared)", {"type": int, "default": FEWEST_TRIALS}),
    "--seconds": ("of trials a point at least (as the workload says)", {"type": float}),
    "--by": ("who gives the rows, as the bundle is to say it (nobody)", {"metavar": "NAME"}),
    "--data": ("mirror of the data sets that scoring reads", FOLDER),
    "--tokenizer": ("tokenizer for scoring where a model's own is not here", FOLDER),
    "--reference-minutes": ("that lm-eval's model may take for a model's tasks (8)", {"type": float, "default": 8.0}),
    "--plan": ("say the steps, what each needs and what does not fit; run nothing", FLAG),
    "--wheels": ("list what to carry to a machine without network", FLAG),
    "--bundle-only": ("bundle the rows that are there; run nothing", FLAG),
    "--even-if-busy": ("measure beside other processes all the same; rows are invalid then", FLAG),
}


class Call(NamedTuple):
    """A call of this script: its options, how it runs a command, and its clock."""

    args: argparse.Namespace
    argv: Sequence[str]
    run: Runner
    now: Callable[[], float]


def main(
    argv: Sequence[str] | None = None, run: Runner | None = None, now: Callable[[], float] = time.monotonic
) -> int:
    """Do what the command line says and return the exit code; an error is one paragraph on stderr."""
    argv = sys.argv[1:] if argv is None else argv
    args = _arguments(argv)
    call = Call(args, argv, run or (lambda command: run_process(command, lambda line: note(f"    {line}"))), now)
    try:
        _check(args)
        if args.wheels:
            Output().text(wheels(ROOT / "pyproject.toml").rstrip("\n"))
            return 0
        if args.bundle_only:
            return _bundle_only(call)
        return _plan_only(call) if args.plan else _measure(call)
    except (MinizooError, OSError) as error:
        return show_error(as_error(error))
    except KeyboardInterrupt:
        kept = f"Rows that have their record are kept in {args.results}"
        return show_error(Interrupted("Interrupted.", f"{kept}: the same command goes on, --bundle-only bundles them."))


def _measure(call: Call) -> int:
    deadline = call.now() + 60 * call.args.minutes
    with held(call.args.results):
        state = load(call.args.results)
        card, plan = _planned(call)
        identity = _identity(call.args, card)
        state = state or State(identity=identity)
        check_same(call.args.results, state, identity)
        notes = (*card.notes(), *(f"left out: {one}" for one in plan.left_out))
        for line in (f"{card.product}, {call.args.dtype}", *notes):
            note(line)
        begun = {"notes": notes, "command": bundle.command(call.argv)}
        save(call.args.results, state := state.model_copy(update=begun))
        drive = Drive(plan, _options(call.args, card), state, call.run, note, deadline, call.now)
        try:
            ending = drive.run()
        except MinizooError as error:  # the rows that are there are worth a bundle
            _bundled(call, drive.state)
            raise error
        written = _bundled(call, drive.state.model_copy(update={"notes": (*notes, *drive.notes())}))
        note(trtllm.asked(call.run, drive.options, (deadline - call.now()) / 60))
        return _told(call, drive, ending, written)


def _told(call: Call, drive: Drive, ending: Ending, written: bundle.Bundled | None) -> int:
    """Say what is left; the exit code."""
    left, given_up = drive.left(), drive.given_up()
    if ending.why == "busy":
        note(f"Ended: {ending.text}, so no row would be valid. Free the machine and run the same command again.")
    for step, last in given_up:
        note(f"Given up: {step.name}. It {last.outcome} again and again: {last.told or 'the call was killed with it'}")
    for name in drive.too_long():
        note(
            f"{name} is not whole after {call.args.minutes:g} minutes: give more, as --minutes {2 * call.args.minutes:g}."
        )
    if left:
        note(f"Left to do, by the same command: {len(left)} steps and what follows from them, next {left[0]}.")
    outcomes = {attempts[-1].outcome for attempts in drive.state.attempts.values()}
    whole = not left and not given_up and written is not None and outcomes <= {"done", "does not fit"}
    return 0 if whole else UNFINISHED


def _bundle_only(call: Call) -> int:
    if not call.args.results.is_dir():
        raise ResultsMissing(f"There is no folder {call.args.results}.", "Run `python benchmarks/gpu_rows.py` first.")
    with held(call.args.results):
        state = load(call.args.results)
        written = _bundled(call, state) if state else None
        ends = {attempts[-1].outcome for attempts in state.attempts.values()} if state else set()
    return 0 if written and ends <= set(SETTLED) and not written.rows["invalid"] else UNFINISHED


def _bundled(call: Call, state: State) -> bundle.Bundled | None:
    """Write the bundle, and say where it is and what to do with it."""
    written = bundle.write(call.args.results, state, call.args.by)
    if written is None:
        note("No row yet, so there is no bundle.")
        return None
    save(call.args.results, state.model_copy(update={"bundle": written.path.name}))
    output = Output()
    output.text(str(written))
    output.text(f"Take it in: minizoo import {written.path}. To publish it: docs/gpu-rows.md, as a pull request.")
    return written


def _plan_only(call: Call) -> int:
    card, plan = _planned(call)
    state = load(call.args.results) if call.args.results.is_dir() else None
    room = f"{gigabytes(card.room)} for weights and caches" if card.room is not None else "memory unknown"
    columns = [Column("step"), Column("needs", True), Column("so far")]
    rows = [_row(entry, state) for entry in plan.entries]
    output = Output()
    output.table(columns, rows, f"{card.product}, {call.args.dtype}, {room}")
    there, engine = trtllm.found(_options(call.args, card))
    asked = f"{engine}: its conformance is asked after the rows." if there else engine
    for line in (*card.notes(), *(f"left out: {one}" for one in plan.left_out), asked):
        output.text(line)
    return 0


def _row(entry: Step | Sweep, state: State | None) -> list[str]:
    if isinstance(entry, Step):
        attempts = state.of(entry.key) if state else ()
        so_far = str(attempts[-1].outcome or "broken off") if attempts else ""
        return [entry.name, gigabytes(entry.needs), so_far]
    fits = [step for step in entry.steps() if isinstance(step, Step)]
    begun = [step.batch for step in fits if state and state.of(step.key)]
    needs = f"{gigabytes(fits[0].needs)} – {gigabytes(fits[-1].needs)}"
    return [
        f"{entry.name} at batch 1, 2, 4 … {fits[-1].batch} at most",
        needs,
        f"to batch {begun[-1]}" if begun else "",
    ]


def _planned(call: Call) -> tuple[Card, Plan]:
    """The card, and the steps that can be run on it; DeviceMemory where there is none, and what else is refused."""
    registry, args = load_registry(), call.args
    family = models_of(registry, args.models) if args.models else family_of(registry, args.family)
    card = ask(call.run, args.device)
    check_dtype(card, args.dtype)
    plan = plan_of(family, args.workloads, Conditions(card.room, args.dtype))
    if not plan.entries:
        none = "; ".join(map(str, plan.left_out))
        raise DeviceMemory(f"No step can be run on {card.product}: {none}.", "Take smaller models: --models A,B.")
    return card, plan


def _options(args: argparse.Namespace, card: Card) -> Options:
    return Options(
        results=args.results,
        device=card.device,
        dtype=args.dtype,
        trials=args.trials,
        seconds=args.seconds,
        data=args.data,
        tokenizer=args.tokenizer,
        reference_minutes=args.reference_minutes,
        even_if_busy=args.even_if_busy,
    )


def _identity(args: argparse.Namespace, card: Card) -> Identity:
    return Identity(
        product=card.product,
        capability=card.capability,
        mig=card.mig,
        dtype=args.dtype,
        trials=args.trials,
        seconds=args.seconds,
        minizoo=__version__,
        torch=card.torch,
    )


def _check(args: argparse.Namespace) -> None:
    """Refuse before anything runs what no step could be run with."""
    if not 0 < args.minutes < 10_000 or not 0 < args.reference_minutes < 10_000:
        raise InvalidOption("That is no number of minutes.", "--minutes and --reference-minutes are numbers above 0.")
    if args.trials < FEWEST_TRIALS:
        raise InvalidOption(f"{args.trials} trials are too few to compare.", f"Take --trials {FEWEST_TRIALS} or more.")
    if args.seconds is not None and not 0 <= args.seconds < 10_000:
        raise InvalidOption(f"{args.seconds:g} s are no time of trials.", "--seconds is a number from 0.")
    if not args.workloads:
        raise InvalidOption("No workload is named.", f"--workloads {','.join(ORDER)} is the default.")
    for name in ("data", "tokenizer"):
        folder = getattr(args, name)
        if folder is not None and not folder.is_dir():
            raise FileMissing(f"--{name} {folder} is no folder.", "Give the folder, or leave the option out.")


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, (help, settings) in OPTIONS.items():
        parser.add_argument(name, help=help, **settings)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
