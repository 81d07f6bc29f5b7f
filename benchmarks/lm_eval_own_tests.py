"""lm-eval's own tests of its Hugging Face model, run with minizoo's in its place: which pass, and why each other does not.

    git clone https://github.com/EleutherAI/lm-evaluation-harness REPO
    python benchmarks/lm_eval_own_tests.py REPO --data ../shared/data --model ../shared/models/stories260k \
        --tokenizer ../shared/tokenizers/gpt2

The tests are those of COMMIT, over the lm-eval that is installed; both have the same `HFLM`, or nothing is run. MODEL (a folder
whose tokenizer puts a first token before every text) stands in for the models of the hub, TOKENIZER for one that puts none.
Exits 1 where a test does not do what `benchmarks/lm_eval_own_tests.yaml` says. `--engine hf` runs lm-eval's own model instead.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
COMMIT = "4e7e0d47f33bc71070c1d38394bafbb52b117163"
"""The nearest commit of lm-eval's repository to its release 0.4.13; the release's own archive has no tests of models."""
SAME = ("lm_eval/models/huggingface.py", "lm_eval/models/utils.py", "lm_eval/models/utils_hf.py")
FILES = (
    "tests/models/test_huggingface.py",
    "tests/models/test_bos_handling.py",
    "tests/models/test_max_length.py",
    "tests/models/test_model_utils.py",
    "tests/test_evaluator.py",
    "tests/test_requests_caching.py",
    "tests/test_cache.py",
    "tests/test_cli_subcommands.py",
    "tests/test_registry.py",
)
"""Those that open or import HFLM, and those of what stands around a model: cache, command line, registry."""
BESIDE = ROOT / "benchmarks" / "lm_eval_own_tests_beside.py"
"""What tests with literal token ids of pythia are about, with HFLM's own answers as what is expected."""
EXPECTED = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Known:
    """Tests that are not expected to pass."""

    outcome: str
    """`not run`, or `differs` where it runs and fails."""
    why: str
    tests: tuple[str, ...]


def main() -> int:
    args = _arguments()
    known = (
        read_known(EXPECTED)
        if args.engine == "minizoo"
        else [k for k in read_known(EXPECTED) if k.outcome == "not run"]
    )
    with tempfile.TemporaryDirectory() as scratch:
        _unpack(args.repo, Path(scratch))
        outcomes = _outcomes(args, Path(scratch), known)
    surprises = list(unexpected(outcomes, known))
    print("\n".join(page(outcomes, known)))
    print("\n".join(surprises), file=sys.stderr)
    return 1 if surprises else 0


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("repo", type=Path, help="a clone of lm-eval's repository")
    words.add_argument("--data", type=Path, required=True, help="mirror of hub data sets")
    words.add_argument("--model", type=Path, required=True, help="folder of a small model")
    words.add_argument("--tokenizer", type=Path, required=True, help="folder of a tokenizer that puts no token first")
    words.add_argument("--engine", choices=("minizoo", "hf"), default="minizoo")
    return words.parse_args()


def _unpack(repo: Path, folder: Path) -> None:
    """The tests of COMMIT in `folder`; ends the program where the installed HFLM is not that commit's."""
    package = Path(str(find_spec("lm_eval").origin)).parent  # pyright: ignore[reportOptionalMemberAccess]
    for name in SAME:
        theirs = _git(repo, "show", f"{COMMIT}:{name}")
        if hashlib.sha256(theirs).digest() != hashlib.sha256((package.parent / name).read_bytes()).digest():
            sys.exit(
                f"{name} of the lm-eval installed is not that of {COMMIT[:9]}: find the commit that is, and set COMMIT."
            )
    with tarfile.open(fileobj=io.BytesIO(_git(repo, "archive", COMMIT, "tests", "scripts"))) as archive:
        archive.extractall(folder, filter="data")


def _git(repo: Path, *words: str) -> bytes:
    done = subprocess.run(["git", "-C", str(repo), *words], capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"git {words[0]} in {repo}: {done.stderr.decode()}")
    return done.stdout


def _outcomes(args: argparse.Namespace, folder: Path, known: list[Known]) -> dict[str, dict[str, str]]:
    """Test → what became of it, run in `folder` by a process of its own."""
    given = {
        "engine": args.engine, "data": str(args.data.resolve()), "model": str(args.model.resolve()),
        "with_bos": str(args.model.resolve()), "without_bos": str(_tokenizer(args.tokenizer, folder / "without_bos")),
        "skipped": {test: k.why for k in known if k.outcome == "not run" for test in k.tests},
        "outcomes": str(folder / "outcomes.json"),
    }  # fmt: skip
    shutil.copy(BESIDE, folder / "tests" / BESIDE.name)
    words = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "benchmarks.lm_eval_stand_in",
        "-p",
        "no:cacheprovider",
        "--timeout=0",
        "--tb=short",
    ]
    subprocess.run(
        [sys.executable, *words, *FILES, f"tests/{BESIDE.name}"], cwd=folder, check=False, stdout=sys.stderr,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "MINIZOO_OWN_TESTS": json.dumps(given), "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hub"),
        },
    )  # fmt: skip
    return json.loads((folder / "outcomes.json").read_text())


def _tokenizer(source: Path, folder: Path) -> Path:
    """The tokenizer with the settings that transformers wants beside it."""
    from benchmarks.shapes import with_tokenizer

    folder.mkdir()
    return with_tokenizer(folder, source)


def read_known(path: Path) -> list[Known]:
    from ruamel.yaml import YAML

    return [Known(row["outcome"], row["why"], tuple(row["tests"])) for row in YAML(typ="safe").load(path)]


def unexpected(outcomes: Mapping[str, Mapping[str, str]], known: list[Known]) -> Iterator[str]:
    """A line for each test that did another thing than the table says, and for each that the table names and nobody ran."""
    expected = {test: k.outcome for k in known for test in k.tests}
    for test, found in outcomes.items():
        word = WORDS[found["outcome"]]
        if word != expected.get(test, "passed"):
            yield f"{test}: {word}, expected {expected.get(test, 'passed')}: {found['reason']}"
    yield from (f"{test} is in {EXPECTED.name} and was not found" for test in expected.keys() - outcomes.keys())


WORDS = {"passed": "passed", "failed": "differs", "skipped": "not run"}


def page(outcomes: Mapping[str, Mapping[str, str]], known: list[Known]) -> Iterator[str]:
    """What passed a file, then the others by name, as Markdown."""
    yield "| file of lm-eval's tests | passed | differ | not run |"
    yield "|---|--:|--:|--:|"
    for file in [*FILES, f"tests/{BESIDE.name}"]:
        found = [WORDS[o["outcome"]] for test, o in outcomes.items() if test.split("::")[0] == file]
        shown = f"`{file}`" if file in FILES else f"`{BESIDE.relative_to(ROOT)}` (ours)"
        yield f"| {shown} | " + " | ".join(str(found.count(word)) for word in WORDS.values()) + " |"
    yield ""
    yield from not_passing(known)


def not_passing(known: list[Known]) -> Iterator[str]:
    """The tests that the table of known ones names, as Markdown."""
    yield "| not run, or differs | tests | why |"
    yield "|---|---|---|"
    for group in known:
        yield (
            f"| {group.outcome} | " + ", ".join(f"`{test}`" for test in map(_short, group.tests)) + f" | {group.why} |"
        )


def _short(test: str) -> str:
    return test.removeprefix("tests/models/").removeprefix("tests/")


if __name__ == "__main__":
    sys.exit(main())
