"""What a search needs from higher rooms: tokenizers, text of the nano family, scores of tasks, measured latencies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from minizoo.output import note

if TYPE_CHECKING:
    from minizoo.display.search.progress import SearchProgress
    from zoo.arch.gpus import Gpu
    from zoo.checkpoint.model_ref import ModelRef
    from zoo.distill.stages.pair import OpenTokenizer
    from zoo.search.latency import MeasureLayer
    from zoo.search.planning import Timing
    from zoo.search.request import SearchRequest
    from zoo.search.run import Tools
    from zoo.search.stages.scoring import ScoreFolder, TaskScore

NANO_SEED = 100
"""Of the text of search 0; the shipped family's text has the seeds 1 to 4."""
NANO_LEAST, NANO_TOKENS_A_DOCUMENT = 2000, 80
"""A document has 105 tokens on average; with some to spare no row is read twice."""


def is_nano(ref: ModelRef) -> bool:
    """Whether it is of the nano family, whose text is made here."""
    return ref.entry is not None and ref.entry.group == "nano"


def tools_of(
    request: SearchRequest, ref: ModelRef, timing: Timing, progress: SearchProgress, options: dict[str, Any],
    open_tokenizer: OpenTokenizer,
) -> Tools:  # fmt: skip
    """All of them, for this request."""
    from zoo.search.run import Tools

    score = _scorer(request, progress, options) if options["tasks"] else None
    make_text = _nano_text if is_nano(ref) and not request.data else None
    return Tools(open_tokenizer, score, timing, make_text)


def _nano_text(file: Path, tokens: int, seed: int) -> None:
    """Text of the nano family for so many tokens and the held-out documents, of a seed that no shipped model has read."""
    from zoo.nano.corpus import write_documents

    write_documents(file, NANO_SEED + seed, NANO_LEAST + tokens // NANO_TOKENS_A_DOCUMENT)


def _scorer(request: SearchRequest, progress: SearchProgress, options: dict[str, Any]) -> ScoreFolder:
    """Scores a cut checkpoint on tasks; their records stay in the search's own folder."""
    from backends.contract import Options
    from harness.accuracy.downstream import CandidateWatcher
    from harness.accuracy.training.checkpoints import Measured, check_measurable, checkpoint_scorer
    from harness.lmeval.loading.index import check_names
    from harness.suites.suite import TaskSelection, known_folders
    from zoo.search.stages.scoring import TaskScore

    check_names(options["tasks"], known_folders())
    work = cast(Path, request.out) / "work" / "results"
    selection = TaskSelection((), options["tasks"])
    measured = Measured(
        selection,
        Options(request.device, "auto"),
        work,
        "candidate",
        request.parent,
        options["limit"],
        options["mirror"],
    )
    check_measurable(measured, request.parent)
    score = checkpoint_scorer(measured, CandidateWatcher(progress, note))

    def scored(folder: Path) -> TaskScore:
        found = score(folder, 0)
        return TaskScore(found.overall, dict(found.tasks), found.by)

    return scored


def timing_of(results: Path) -> Timing:
    """Measured steps of the results folder, and whoever times layers on a device that is here."""
    from zoo.search.planning import Timing

    def rows(gpu: Gpu) -> Any:
        from harness.store.measured_steps import measured_steps

        return measured_steps(results, gpu)

    return Timing(rows, _measurer)


def _measurer(gpu: Gpu | None) -> MeasureLayer | None:
    """Whoever times layers on this GPU, where it is the one that is here; without one on this machine's processor."""
    device = "cpu"
    if gpu is not None:
        import torch

        from zoo.arch.gpus import find_gpu

        if not torch.cuda.is_available():
            return None
        capability = ".".join(map(str, torch.cuda.get_device_capability(0)))
        if find_gpu(torch.cuda.get_device_name(0), capability) != gpu:
            return None
        device = "cuda:0"
    from backends.contract import Options
    from harness.speed.layer_times import layer_measurer

    return layer_measurer(Options(device, "auto"))
