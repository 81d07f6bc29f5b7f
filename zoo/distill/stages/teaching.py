"""The teacher of a run: in memory, or what it said in a folder, which is made here where it is not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zoo.distill.batch import Teacher
from zoo.distill.losses.states import layers_to_match
from zoo.distill.request import DistillRequest
from zoo.distill.stages.text import RunText
from zoo.distill.teacher.cache.manifest import NAME as MANIFEST
from zoo.distill.teacher.cache.manifest import Exact, Form, Sampled, check_same, identity_of, read_manifest
from zoo.distill.teacher.cache.reader import CachedTeacher
from zoo.distill.teacher.cache.shards import Shards
from zoo.distill.teacher.cache.writer import Making, manifest_of, write_cache
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.parallel import DTYPES, shard_teacher
from zoo.distill.train.world import World
from zoo.errors import InvalidConfig, one_line
from zoo.prune.progress import ProgressCallback

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class TeacherFolder:
    """A checkpoint that teaches, its name, and the digest of its weights."""

    folder: Path
    name: str
    digest: str


def load_model(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """The causal language model of a folder on the CPU, in this dtype; no code of the checkpoint's is run.

    Raises InvalidConfig for what transformers refuses.
    """
    from transformers import AutoModelForCausalLM

    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, trust_remote_code=False
        )
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        raise InvalidConfig(
            f"transformers does not load {folder} ({one_line(error)}).", "`minizoo show FOLDER --check` compares it."
        ) from error
    return model


@dataclass(frozen=True)
class _Cache:
    """A cache that is asked for: where, in which form, of whom and of what."""

    folder: Path
    form: Form
    source: TeacherFolder
    text: RunText
    needed: list[int]
    """The rows that the run takes."""

    def is_whole(self) -> bool:
        """Whether it has them all, so that nobody needs the teacher's weights. Raises CacheOfOther… for another cache."""
        if not (self.folder / MANIFEST).is_file():
            return False
        found = read_manifest(self.folder)
        rows = self.text.rows
        own = {
            "teacher": self.source.digest,
            "data": rows.digest,
            "tokenizer": rows.tokenizer or "",
            "length": rows.length,
        }
        wanted = found.model_copy(update={**own, "vocabulary": rows.vocabulary, "form": self.form})
        check_same(self.folder, found, wanted)
        return not Shards(self.folder, identity_of(found)).missing(self.needed)

    def make(self, live: LiveTeacher, micro: int, world: World, progress: ProgressCallback | None) -> None:
        """Each process makes its share of the rows; those that are there stay."""
        rows = self.text.rows
        names = self.source.name, ", ".join(each.name for each in self.text.sources)
        tokenizer = rows.tokenizer or ""
        manifest = manifest_of(live, self.form, data=rows.digest, tokenizer=tokenizer, length=rows.length, names=names)
        making = Making(micro=micro, share=(world.rank, world.size))
        live.model.to(world.device)  # pyright: ignore[reportArgumentType, reportCallIssue] (a stub of transformers)
        shown = progress if world.is_first else None
        world.each(lambda: write_cache(self.folder, manifest, live, self.needed, rows.batch, making, shown))

    def read(self, world: World) -> CachedTeacher:
        """The teacher that it is."""
        cached = CachedTeacher(self.folder, device=world.device)
        cached.check_rows(self.needed)
        return cached


def open_teacher(
    request: DistillRequest,
    source: TeacherFolder,
    text: RunText,
    world: World,
    progress: ProgressCallback | None = None,
) -> tuple[Teacher, str]:
    """The teacher on this process's device, and its form in words. A cache that is asked for is made or gone on with.

    Where a cache has all that the run takes, the teacher's weights are not read. Raises InvalidOption for layers that the
    teacher does not have, and what `write_cache` and `CachedTeacher` raise.
    """
    layers = layers_to_match(request.loss)[0]
    if request.teacher_cache is None:
        live = _live(request, source, layers)
        shard_teacher(live.model, world, request.train.offload)
        return live, "live"
    needed = text.needed(request.train.steps, request.train.batch)
    cache = _Cache(request.teacher_cache, _form(request, layers), source, text, needed)
    if not world.first(cache.is_whole):
        cache.make(_live(request, source, layers), request.train.micro, world, progress)
    told = "exact cache" if request.sampled is None else f"sampled cache, {request.sampled} draws a token"
    return cache.read(world), told


def _live(request: DistillRequest, source: TeacherFolder, layers: tuple[int, ...]) -> LiveTeacher:
    model = load_model(source.folder, DTYPES[request.train.dtype])
    return LiveTeacher(model, layers, source.digest)


def _form(request: DistillRequest, layers: tuple[int, ...]) -> Form:
    if request.sampled is None:
        return Exact(dtype=request.train.dtype, layers=layers)
    return Sampled(k=request.sampled, temperature=request.loss.temperature)  # of one seed, for students of any
