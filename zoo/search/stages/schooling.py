"""What candidates have in common, opened: text in parts, the teacher's cache, the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.checkpoint.locate import Checkpoint
from zoo.distill.stages.pair import OpenTokenizer
from zoo.distill.stages.teaching import TeacherFolder
from zoo.distill.teacher.cache.manifest import NAME as MANIFEST
from zoo.distill.teacher.cache.manifest import check_same, read_manifest
from zoo.distill.train.world import World
from zoo.errors import ConflictingOptions, InvalidOption
from zoo.search.request import SearchRequest
from zoo.search.stages.distilling import School
from zoo.search.stages.text import MakeText, TextSettings, open_text
from zoo.search.watcher import Watcher


def check_cache(cache: Path, teacher: TeacherFolder) -> None:
    """Raise CacheOfOtherTeacher for a cache of another parent, before text is read and candidates are cut."""
    if (cache / MANIFEST).is_file():
        found = read_manifest(cache)
        check_same(cache, found, found.model_copy(update={"teacher": teacher.digest}))


def open_school(
    request: SearchRequest, open_tokenizer: OpenTokenizer, make_text: MakeText | None, teacher: TeacherFolder,
    checkpoint: Checkpoint, cache: Path, work: Path, world: World, watcher: Watcher,
) -> School:  # fmt: skip
    """Text split and made into rows, and where it goes. Text that `make_text` makes stands in `work`; the rows beside the
    teacher's cache, where other searches find them.

    Raises InvalidOption for rows that are longer than the parent's context, and what `open_text` raises.
    """
    training = request.training
    if training is None:
        raise ConflictingOptions("There is no text to train on.", "Give --data FILE and --tokens N.")
    if training.length > checkpoint.max_length:
        raise InvalidOption(
            f"Rows of {training.length:,} tokens are longer than the parent attends to ({checkpoint.max_length:,}).",
            "Give a smaller --length.",
        )
    data = request.data
    if make_text is not None:
        file = work / f"text-seed-{request.seed}.jsonl"
        if not file.is_file():
            make_text(file, training.tokens, request.seed)
        data = (str(file),)
    opened = open_tokenizer(checkpoint.folder, int(checkpoint.config["vocab_size"]))
    tokenizer = replace(opened.text, digest=checkpoint.tokenizer_digest())
    settings = TextSettings(data, request.text_column, training.length, request.held_out, request.seed)
    text = open_text(settings, tokenizer, cache, work, watcher.progress)
    dtype = "bfloat16" if world.device.type == "cuda" else "float32"
    return School(
        text, teacher, cache, replace(training, dtype=dtype), world, request.sampled, watcher.progress, watcher.step
    )
