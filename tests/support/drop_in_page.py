"""The tables of docs/lm-eval-drop-in.md that are made from the code: `PYTHONPATH=tests python -m support.drop_in_page`."""

from __future__ import annotations

from benchmarks.lm_eval_own_tests import EXPECTED, not_passing, read_known
from harness.lmeval.opening.arguments import HONOURED, OURS, REFUSED, REFUSED_PREFIXES, SPELLINGS


def arguments_table() -> str:
    """What becomes of each argument of lm-eval's `hf` model, those with one answer in one row."""
    rows = [("honoured", ["pretrained", *HONOURED], "")]
    rows += [("honoured", [spelling], f"the same as `{name}`") for spelling, name in SPELLINGS.items()]
    rows += [("told, changes nothing", names, f"{why}") for why, names in _by_answer(OURS)]
    refused = {name: rule.way_out for name, rule in REFUSED.items()}
    refused |= {f"{start}…": rule.way_out for start, rule in REFUSED_PREFIXES.items()}
    rows += [("refused", names, answer) for answer, names in _by_answer(refused)]
    lines = [f"| {word} | {', '.join(f'`{name}`' for name in names)} | {answer} |" for word, names, answer in rows]
    return "\n".join(["| | `--model_args` | |", "|---|---|---|", *lines]) + "\n"


def own_tests_table() -> str:
    """lm-eval's own tests that do not pass with our model, or are not run."""
    return "\n".join(not_passing(read_known(EXPECTED))) + "\n"


def _by_answer(answers: dict[str, str]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for name, answer in answers.items():
        found.setdefault(answer, []).append(name)
    return list(found.items())


if __name__ == "__main__":
    print(arguments_table(), own_tests_table(), sep="\n", end="")
