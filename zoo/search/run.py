"""One search, from a budget to the winner's plan. Stopped anywhere, the same call goes on.

shapes within the budget → some of them cut → scored → the best trained in rungs, ranked, fewer each time → confirmed → files
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from zoo.checkpoint.locate import Checkpoint, locate
from zoo.checkpoint.model_ref import resolve
from zoo.checkpoint.precision import check_whole
from zoo.distill.stages.pair import OpenTokenizer
from zoo.errors import Busy, ConflictingOptions
from zoo.files import check_writable, json_object, write_atomically
from zoo.prune.parent import Parent, open_parent
from zoo.prune.plan import write_plan
from zoo.search.candidates import table
from zoo.search.planning import CANDIDATES, TIMES, Planned, Timing, plan_search
from zoo.search.request import SearchRequest, claim
from zoo.search.result.document import Findings, document, text_of, winners_plan
from zoo.search.result.page import page
from zoo.search.stages.scoring import ScoreFolder
from zoo.search.stages.text import MakeText
from zoo.search.stopping import Decision
from zoo.search.watcher import Watcher

if TYPE_CHECKING:
    from zoo.search.stages.ranking import Ranked
    from zoo.search.stages.scoring import Scored

WORK, DOCUMENT, PAGE = "work", "search.json", "search.md"


@dataclass(frozen=True)
class Tools:
    """What a search needs from above: tokenizers, scores of tasks, latencies, and text for a parent that brings its own."""

    open_tokenizer: OpenTokenizer
    score: ScoreFolder | None = None
    timing: Timing = field(default_factory=Timing)
    make_text: MakeText | None = None


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found: the candidates, and the document of a finished one; of one that a signal ended, its name."""

    planned: Planned | None
    document: dict[str, Any] | None = None
    stopped: str | None = None


def run(request: SearchRequest, tools: Tools, watcher: Watcher | None = None) -> SearchOutcome:
    """Carry out a search and leave plan.json, search.json, search.md and candidates.csv in its folder.

    A signal during a training lets it finish its step and save. Raises Busy while another process searches there, OtherSearch
    where the folder holds another search, and what its stages raise.
    """
    watcher, out = watcher or Watcher(), request.out
    if out is None or request.training is None:
        raise ConflictingOptions("A search needs a folder and text.", "Give --out DIR, or --plan-only.")
    ref = resolve(request.parent)
    check_whole(ref)
    check_writable(out)
    with _alone(out):
        checkpoint = locate(ref, watcher.fetched)
        digest = checkpoint.weights_digest()
        data = f"made by seed {request.seed}" if tools.make_text else ", ".join(request.data)
        claim(out, request.identity(digest, data))
        finished = json_object(out / DOCUMENT)
        if finished:
            shutil.rmtree(out / WORK, ignore_errors=True)
            watcher.note(f"{out} holds this search, finished: nothing was computed.")
            return SearchOutcome(None, finished)
        return _search(request, tools, watcher, out, checkpoint, digest)


def _search(
    request: SearchRequest, tools: Tools, watcher: Watcher, out: Path, checkpoint: Checkpoint, digest: str
) -> SearchOutcome:
    from zoo.distill.train.world import open_world  # these import torch
    from zoo.search.stages.distilling import StoppedBySignal

    work, began = out / WORK, time.monotonic()
    work.mkdir(exist_ok=True)
    parent = open_parent(checkpoint.folder, checkpoint.name)
    planned = plan_search(request, parent.dims, tools.timing, watcher.note, out / TIMES)
    write_atomically(out / CANDIDATES, table(planned.within, planned.tried).encode())
    try:
        with open_world("none", request.device) as world:
            found = _found(request, tools, watcher, planned, parent, checkpoint, digest, world, work)
    except StoppedBySignal as signal:
        return SearchOutcome(planned, stopped=str(signal))
    content = document(request, planned, parent, replace(found, seconds=time.monotonic() - began))
    write_plan(winners_plan(request, found), out)
    write_atomically(out / PAGE, page(content).encode())
    write_atomically(out / DOCUMENT, text_of(content).encode())
    shutil.rmtree(work, ignore_errors=True)
    return SearchOutcome(planned, content)


def _found(
    request: SearchRequest, tools: Tools, watcher: Watcher, planned: Planned, parent: Parent, checkpoint: Checkpoint,
    digest: str, world: Any, work: Path,
) -> Findings:  # fmt: skip
    from zoo.distill.stages.teaching import TeacherFolder
    from zoo.search.stages.confirming import confirm
    from zoo.search.stages.cutting import Importance, importance, plan_of
    from zoo.search.stages.ranking import rank
    from zoo.search.stages.schooling import check_cache, open_school
    from zoo.search.stages.scoring import score_all

    assert request.training is not None, "`run` refuses a request without"
    cache = request.teacher_cache or work / "teacher-cache"
    teacher = TeacherFolder(checkpoint.folder, checkpoint.name, digest)
    check_cache(cache, teacher)
    school = open_school(
        request, tools.open_tokenizer, tools.make_text, teacher, checkpoint, cache, work, world, watcher
    )
    how = Importance(request.calibration, request.seed, request.depth_by, request.device)
    removed = [parent.dims.num_layers - each.shape.layers for each in planned.tried]
    rows = school.text.in_order(request.seed)
    scores = importance(parent, rows, removed, how, work / "importance.safetensors", watcher.progress)
    plans = [plan_of(parent, each.shape, scores, request.depth_by) for each in planned.tried]
    scored = score_all(planned.tried, plans, parent, school, work, tools.score)
    kept = sorted(scored, key=lambda each: each.order)[: request.keep]

    def tell(decision: Decision) -> None:
        watcher.note(told_of(decision, [each.number for each in kept], school.training.tokens_at(decision.step)))

    ranked = rank(kept, parent, school, work, request.seed, request.rungs, request.rule, tell)
    order = _order(scored, kept, ranked)
    median = order[len(order) // 2]
    confirmation = None
    if request.confirm and len(order) > 1:
        step = ranked.decisions[-1].step
        confirmation = confirm(
            order[0], median, parent, school, how, work, request.confirm, step, request.rule, watcher.progress
        )
    return Findings(scored, kept, ranked, order, median, confirmation, school.text, teacher)


def _order(scored: Sequence[Scored], kept: Sequence[Scored], ranked: Ranked) -> list[Scored]:
    """The best first: those trained as ranked, those not trained by their score, those that diverged."""
    trained = [kept[at] for at in ranked.order]
    diverged = [kept[at] for at in ranked.order if at in ranked.diverged]
    others = sorted((each for each in scored if each not in kept), key=lambda each: each.order)
    return [*(each for each in trained if each not in diverged), *others, *diverged]


def told_of(decision: Decision, numbers: list[int], tokens: int) -> str:
    """A rung in a sentence."""
    if not decision.standings:
        return f"After {tokens:,} tokens a candidate: every training diverged."
    led = decision.standings[0]
    told = f"After {tokens:,} tokens a candidate: candidate {numbers[led.candidate]} leads with {led.loss:.4f} nats a token"
    if decision.tau is not None:
        told += f", Kendall τ to the rung before {decision.tau.value:.2f} [{decision.tau.lower:.2f}, {decision.tau.upper:.2f}]"
    for verb, who in (("out", decision.dropped), ("diverged", decision.diverged)):
        if who:
            told += f"; {verb}: {', '.join(str(numbers[each]) for each in who)}"
    return f"{told}; {decision.stop or f'{len(decision.alive)} go on'}."


@contextlib.contextmanager
def _alone(out: Path) -> Generator[None]:
    lock = out / ".lock"
    try:
        with FileLock(lock, timeout=0):
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except Timeout:
        raise Busy(f"Another process searches in {out}.", "Wait for it, or give another --out.") from None
