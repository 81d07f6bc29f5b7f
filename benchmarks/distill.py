"""Distillation measured: the loss, the teacher's caches, a training step, and TRL's trainer beside ours; equal results first.

    python benchmarks/distill.py --threads 2 --trl ENV/bin/python
    python benchmarks/distill.py --only loss --sizes 512x8192 --out -

`--trl` is an interpreter of an environment of its own, with the same torch and transformers:

    python -m venv ENV; ENV/bin/pip install torch==2.13.0 transformers==5.23.0 trl==1.16.0

Everything is measured in processes of their own, what is compared turn about, and the fastest turn of each counts; memory is
the kernel's high-water mark above what was there before. CPU seconds are told beside: on a machine that does something else
they say more. Rows that are not measured again stay as they are in `--out`. Exits 1 when results differ or a bar is missed
(loss_rows.py, cache_rows.py and step_rows.py have the bars).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from benchmarks.distillation.cache_rows import CacheCase, cache_rows  # noqa: E402
from benchmarks.distillation.loss_rows import SIZES, LossCase, Size, loss_rows  # noqa: E402
from benchmarks.distillation.page import lines  # noqa: E402
from benchmarks.distillation.step_rows import VOCABULARIES, StepCase, step_rows  # noqa: E402

PARTS = ("loss", "cache", "step")


def main() -> int:
    args = _arguments()
    document: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    if args.out != "-" and Path(args.out).is_file():
        document |= json.loads(Path(args.out).read_text("utf-8"))
    measured: dict[str, Iterable[dict[str, Any]]] = {
        "loss": loss_rows(_loss_case(args), args.sizes, args.trl),
        "cache": (cache_rows(CacheCase(args.threads), args.work) for _ in range(1)),
        "step": (step_rows(StepCase(args.threads, vocabulary), args.trl) for vocabulary in VOCABULARIES),
    }
    kept = True
    for part in args.only:
        for row in measured[part]:
            kept = kept and row["kept"]
            document[part] = [*(old for old in document[part] if _key(old) != _key(row)), {**_provenance(), **row}]
            if args.out != "-":  # minutes of figures outlive what comes after them
                Path(args.out).write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document) if args.json else "\n".join(lines(document)))
    return 0 if kept else 1


def _key(row: dict[str, Any]) -> list[Any]:
    """What a row is of: one that is measured again takes its place."""
    return [row.get(name) for name in ("tokens", "vocabulary", "dtype", "device", "student_width", "teacher_width")]


def _loss_case(args: argparse.Namespace) -> LossCase:
    case = LossCase(args.threads, args.turns, args.device, args.dtype)
    return case if args.widths is None else replace(case, student_width=args.widths[0], teacher_width=args.widths[1])


def _provenance() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[1],
    }


def _size(text: str) -> Size:
    tokens, vocabulary = (int(part) for part in text.split("x"))
    return next(
        (size for size in SIZES if (size.tokens, size.vocabulary) == (tokens, vocabulary)), Size(tokens, vocabulary)
    )


def _arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    words.add_argument("--trl", type=Path, help="interpreter of an environment with TRL")
    words.add_argument("--threads", type=int, default=os.cpu_count())
    words.add_argument("--turns", type=int, default=2, help="of each form of the loss")
    words.add_argument("--sizes", type=_size, nargs="+", default=SIZES, help="TOKENSxVOCABULARY of the loss")
    words.add_argument("--widths", type=int, nargs=2, help="of student and teacher, for the loss")
    words.add_argument("--device", default="cpu", help="of the loss; another than cpu has not been run")
    words.add_argument("--dtype", default="float32", help="of the loss; equality is asserted in float32 alone")
    words.add_argument(
        "--work", type=Path, help="folder on the disk whose caches are measured (default: the temporary one)"
    )
    words.add_argument("--out", default=str(Path(__file__).with_suffix(".json")), help="JSON file, or - for none")
    words.add_argument("--json", action="store_true")
    return words.parse_args()


if __name__ == "__main__":
    sys.exit(main())
