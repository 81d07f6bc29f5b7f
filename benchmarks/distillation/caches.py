"""A teacher's cache: bytes a token on the disk, how fast it is made and read, and that nothing is lost in an exact one."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.distillation.memory import Stretch
from benchmarks.distillation.pairs import opened, packed
from benchmarks.shapes import GPT2_VOCABULARY
from zoo.distill.batch import ExactTargets, counted
from zoo.distill.forward import hidden_states
from zoo.distill.heads import head_of
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.settings import LossSettings
from zoo.distill.teacher.cache.manifest import Exact, Form, Sampled
from zoo.distill.teacher.cache.reader import CachedTeacher
from zoo.distill.teacher.cache.writer import Making, manifest_of, write_cache
from zoo.distill.teacher.live import LiveTeacher


class CacheJob:
    """A teacher over the rows of a file, in one dtype. A turn is one form of cache, made and read, or `live`: none."""

    def __init__(self, told: dict[str, Any]) -> None:
        dtype = getattr(torch, told["dtype"])
        self.teacher = LiveTeacher(opened(Path(told["pair"]) / "teacher", dtype))
        self.student = opened(Path(told["pair"]) / "student")
        self.rows, self.dtype, self.micro = packed(Path(told["rows"]), GPT2_VOCABULARY), told["dtype"], told["micro"]
        self.numbers = list(range(len(self.rows)))
        self.teacher.targets(self.rows.batch(self.numbers[:1]))

    def turn(self, told: dict[str, Any]) -> dict[str, Any]:
        if told["form"] == "live":
            return self._live()
        form: Form = Exact(dtype=self.dtype) if told["form"] == "exact" else Sampled(k=told["k"])
        with tempfile.TemporaryDirectory(dir=told["folder"]) as scratch:
            folder = Path(scratch) / "cache"
            manifest = manifest_of(
                self.teacher, form, data=self.rows.digest, tokenizer="random ids", length=self.rows.length
            )
            with Stretch() as writing:
                made = write_cache(folder, manifest, self.teacher, self.numbers, self.rows.batch, Making(self.micro))
            cached = CachedTeacher(folder, manifest)
            with Stretch() as reading:
                for first in range(0, len(self.numbers), self.micro):
                    cached.targets(self.rows.batch(self.numbers[first : first + self.micro]))
            return {
                "k": getattr(form, "k", None),
                "bytes_a_token": made.bytes / made.positions,
                "bytes_a_token_by_formula": manifest.bytes_a_position,
                "tokens": made.positions,
                "write": _told(writing, made.positions),
                "read": _told(reading, made.positions),
                **(self._apart(cached) if isinstance(form, Exact) else {}),
            }

    def _live(self) -> dict[str, Any]:
        """The teacher's forward pass alone, which each use of the data takes without a cache, and each making of one."""
        tokens = 0
        with Stretch() as forward:
            for first in range(0, len(self.numbers), self.micro):
                found = self.teacher.targets(self.rows.batch(self.numbers[first : first + self.micro]))
                tokens += len(found.hidden)
        return {"forward": _told(forward, tokens)}

    def _apart(self, cached: CachedTeacher) -> dict[str, Any]:
        """The loss of one batch with the live teacher and from the cache, relative to the live one."""
        batch = self.rows.batch(self.numbers[: self.micro])
        with torch.no_grad():
            states, _ = hidden_states(self.student, batch)
            own, head = states[counted(batch)], head_of(self.student)
            losses = [
                float(chunked_divergence(own, head, _in_fp32(teacher.targets(batch)), None, LossSettings()).total)
                for teacher in (self.teacher, cached)
            ]
        return {"loss_apart": abs(losses[1] - losses[0]) / abs(losses[0])}


def _in_fp32(targets: Any) -> ExactTargets:
    """So that what is compared is what the cache holds, not how a bf16 product rounds."""
    head = replace(targets.head, weight=targets.head.weight.float())
    return ExactTargets(targets.hidden.float(), head)


def _told(stretch: Stretch, tokens: int) -> dict[str, Any]:
    return {"seconds": stretch.seconds, "cpu_seconds": stretch.cpu_seconds, "tokens_a_second": tokens / stretch.seconds}
