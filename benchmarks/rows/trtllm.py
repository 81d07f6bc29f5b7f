"""TensorRT-LLM's conformance on this card, where an interpreter has it: asked once a folder, after the rows. Never a row."""

from __future__ import annotations

import sys

from backends.trtllm.interpreter import VARIABLE, ask, find_interpreter, own_folder
from benchmarks.rows.command import Options
from benchmarks.rows.process import Finished, Runner
from benchmarks.rows.told import document_of
from harness.conformance.files import all_kept

NAME = "trtllm"
MODEL = "nano-teacher"
"""The smallest model that ships: the questions are of the engine, not of weights."""
DTYPES = ("bfloat16", "float16")
"""What the engine's attention computes in."""


def asked(run: Runner, options: Options, minutes: float) -> str:
    """Ask every check of conformance, unless this folder has the outcome or it cannot be asked; what came of it, a sentence."""
    there, told = found(options)
    if not there:
        return told
    if minutes <= 0:
        return f"{told}, and the time is up: the same command asks its conformance."
    words = ["conformance", "--backend", NAME, "--model", MODEL, "--device", options.device, "--dtype", options.dtype]
    finished = run([sys.executable, "-P", "-m", "minizoo", *words, "--results", str(options.results), "--json"])
    return f"{told}: {_outcome(finished)}"


def found(options: Options) -> tuple[bool, str]:
    """Whether there is something to ask on this card, and in words what there is or why nothing can be asked."""
    interpreter = find_interpreter()
    if interpreter is None:
        nowhere = f"neither ${VARIABLE} nor {own_folder()} names one"
        return False, f"TensorRT-LLM is not installed ({nowhere}), so it is not asked: `minizoo doctor` has the lines."
    told = ask(interpreter.python)
    if told.engine is None:
        return False, f"TensorRT-LLM is not in {interpreter.python} ({interpreter.source}), so it is not asked."
    if options.device == "cpu":
        return False, f"{told.engine} is not asked: it needs a GPU."
    if options.dtype not in DTYPES:
        return False, f"{told.engine} is not asked: it computes in {' or '.join(DTYPES)}, not in {options.dtype}."
    kept = [one.outcome for one in all_kept(options.results) if one.outcome.key.backend == NAME]
    version = told.engine.split()[-1]
    if any(version in one.key.engine.replace(",", " ").split() and one.key.dtype == options.dtype for one in kept):
        return False, f"{told.engine} was asked before: its outcome is in {options.results / 'conformance'}."
    return True, f"{told.engine} ({interpreter.source})"


def _outcome(finished: Finished) -> str:
    """What a process of `minizoo conformance` told."""
    document = document_of(finished.out)
    checks = document.get("checks")
    if not isinstance(checks, list):
        return f"conformance could not be asked: {document.get('what') or finished.last_line}"
    verdicts = {word: [one["check"] for one in checks if one["verdict"] == word] for word in ("pass", "fail", "skip")}
    counts = f"{len(verdicts['pass'])} checks passed, {len(verdicts['skip'])} could not be asked"
    if verdicts["fail"]:
        return f"DOES NOT CONFORM: {', '.join(verdicts['fail'])} failed; {counts}."
    return f"{'conforms' if verdicts['pass'] else 'nothing was asked'}: {counts}."
