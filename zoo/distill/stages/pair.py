"""The two models of a distillation, opened and known to go together; nothing of them is in memory yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.arch.dims import Dense
from zoo.checkpoint.locate import Checkpoint, locate, open_folder
from zoo.checkpoint.model_ref import ModelRef, resolve
from zoo.checkpoint.plan_folder import LAYER_WIDTHS, virtual_parent
from zoo.checkpoint.precision import check_whole
from zoo.distill.data.tokenizing import TextTokenizer
from zoo.errors import OtherVocabulary, StudentUnfit
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.progress import ProgressCallback
from zoo.prune.write.writer import write_child


@dataclass(frozen=True)
class ModelTokenizer:
    """A folder's tokenizer: what encodes its text, and each of its tokens with its id."""

    text: TextTokenizer
    tokens: Mapping[str, int]


OpenTokenizer = Callable[[Path, int], ModelTokenizer]
"""Takes a checkpoint's folder and its model's vocabulary; passed in from above, since texts are a backend's business."""


@dataclass(frozen=True)
class Pair:
    """A student and its teacher, of one vocabulary; `tokenizer` is the teacher's, so that its cache serves every student."""

    student: Checkpoint
    teacher: Checkpoint
    tokenizer: TextTokenizer

    @property
    def longest(self) -> int:
        """Tokens that both attend to."""
        return min(self.student.max_length, self.teacher.max_length)

    @property
    def dims(self) -> tuple[Dense, Dense] | None:
        """Dimensions of student and teacher; None where a class has no closed form here: then nothing is planned."""
        student, teacher = self.student.closed_form, self.teacher.closed_form
        return (student, teacher) if isinstance(student, Dense) and isinstance(teacher, Dense) else None


def open_pair(
    student: str, teacher: str, work: Path, open_tokenizer: OpenTokenizer, progress: ProgressCallback | None = None
) -> Pair:
    """Both checkpoints, whole; a student that is a plan on its parent's weights is cut into `work`, once.

    Raises what `locate` raises, UnsupportedDtype for quantised weights, StudentUnfit for a student of unlike layers or one
    that is the teacher itself, OtherVocabulary where vocabularies or tokenizers differ.
    """
    refs = [resolve(word) for word in (student, teacher)]
    for ref in refs:
        check_whole(ref)
    taught, teaching = (locate(ref, progress) for ref in refs)
    if LAYER_WIDTHS in teaching.config or virtual_parent(teaching.folder):
        raise StudentUnfit(f"{teaching.name} is {_why(teaching)}, so it cannot teach.", "Take a plain checkpoint.")
    if taught.folder.resolve() == teaching.folder.resolve():
        raise StudentUnfit(f"{taught.name} is student and teacher at once.", "Cut a student first: `minizoo prune`.")
    tokenizer = check_pair(taught, teaching, open_tokenizer)
    return Pair(_with_weights(taught, work, progress), teaching, tokenizer)


def check_pair(student: Checkpoint, teacher: Checkpoint, open_tokenizer: OpenTokenizer) -> TextTokenizer:
    """The tokenizer of both. Raises OtherVocabulary, with what differs, and StudentUnfit for a student of unlike layers."""
    if LAYER_WIDTHS in student.config:
        raise StudentUnfit(
            f"{student.name} has layers that differ in width, which transformers cannot load to train them.",
            "Cut it again with one ffn and one heads for all layers.",
        )
    sizes = [int(checkpoint.config.get("vocab_size", 0)) for checkpoint in (student, teacher)]
    if sizes[0] != sizes[1]:
        raise OtherVocabulary(
            f"{student.name} has a vocabulary of {sizes[0]:,} tokens and {teacher.name} one of {sizes[1]:,}.",
            "Distil from a teacher with the student's tokenizer, such as the model that it was cut from.",
        )
    ours = open_tokenizer(teacher.folder, sizes[1])
    if student.tokenizer_digest() != teacher.tokenizer_digest():
        _check_tokens(student, teacher, open_tokenizer(student.folder, sizes[0]), ours)
    return replace(ours.text, digest=teacher.tokenizer_digest())


PROBE = (
    "It was 7.25 o'clock; naïve Ωmega\n\n\tdef f(x):  return x**2 != 10_000\r\nDon't — “quote” 数据 😀  end. ",
    " leading and trailing  ",
)
"""Text that tokenizers cut differently even where their tokens are the same."""


def _check_tokens(student: Checkpoint, teacher: Checkpoint, theirs: ModelTokenizer, ours: ModelTokenizer) -> None:
    """Files may differ (a chat template, the order of keys); tokens, ids and how text is cut may not."""
    names = f"The tokenizers of {student.name} and {teacher.name} differ"
    hint = "Distil from a teacher with the student's tokenizer, such as the model that it was cut from."
    other = next((token for token, number in ours.tokens.items() if theirs.tokens.get(token) != number), None)
    if other is None and len(theirs.tokens) != len(ours.tokens):
        other = next(token for token in theirs.tokens if token not in ours.tokens)
    if other is not None:
        ids = [("none" if found is None else found) for found in (theirs.tokens.get(other), ours.tokens.get(other))]
        raise OtherVocabulary(f"{names}: token {other!r} has id {ids[0]} there and {ids[1]} here.", hint)
    if theirs.text.encode(PROBE) != ours.text.encode(PROBE):
        raise OtherVocabulary(f"{names}: they cut the same text into different tokens.", hint)
    if (theirs.text.bos, theirs.text.eos) != (ours.text.bos, ours.text.eos):
        raise OtherVocabulary(f"{names}: their BOS or EOS is another token.", hint)


def _with_weights(student: Checkpoint, work: Path, progress: ProgressCallback | None) -> Checkpoint:
    """The student itself; of a plan without weights the child that it describes, cut into the work folder."""
    parent = virtual_parent(student.folder)
    if parent is None:
        return student
    out = work / "student"
    if not out.exists():
        write_child(read_plan(student.folder / "plan.json"), open_parent(parent), out, progress=progress)
    cut = open_folder(out)
    ref = ModelRef(student.ref.kind, student.ref.id, student.ref.entry, out, student.ref.name, student.ref.parent)
    return replace(cut, ref=ref)


def _why(checkpoint: Checkpoint) -> str:
    return (
        "of layers that differ in width" if LAYER_WIDTHS in checkpoint.config else "a plan without weights of its own"
    )
