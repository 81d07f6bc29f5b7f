"""The jobs of a night, given to an executor and gathered as they end, until all have or a limit comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.fleet.executor import Ended, Executor
from harness.fleet.folders import NightFolder
from harness.fleet.jobs.progress import Progress, read_outcome, read_progress, write_outcome, write_progress
from harness.fleet.jobs.run import is_held
from harness.fleet.night.limits import Limits, gpu_hours
from harness.fleet.night.take_in import take_in
from harness.records.night import Finding, Job, JobOutcome
from zoo.errors import JobLost, WrongAccelerator

LOOK_SECONDS = 5.0
"""How long the executor is waited for at a time, so that limits are seen."""


@dataclass
class Watch:
    """Those who are told how far a night is; by default nobody."""

    said: Callable[[str], None] = lambda _line: None
    ended: Callable[[Job, JobOutcome], None] = lambda _job, _outcome: None


@dataclass
class Jobs:
    """The jobs of a night while they run."""

    folder: NightFolder
    retries: int
    limits: Limits
    watch: Watch
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    outcomes: dict[str, JobOutcome] = field(default_factory=dict[str, JobOutcome])
    findings: list[Finding] = field(default_factory=list[Finding])
    stopped: str | None = None
    """Why nothing more begins, where a limit was reached."""
    _lost: Counter[str] = field(default_factory=Counter[str])
    _elsewhere: set[str] = field(default_factory=set[str])
    """Held by processes that this night did not start."""

    def run(self, executor: Executor, jobs: Sequence[Job]) -> None:
        """Run those that have no outcome yet; all have one when this returns. A KeyboardInterrupt stops what runs and is
        raised on."""
        waiting = self.known(jobs)
        if not self._may_begin(waiting):
            return
        try:
            executor.start(self.folder, waiting)
            self._until_ended(executor, {job.id for job in waiting})
        except BaseException:
            executor.drain()
            executor.cancel()
            raise

    def known(self, jobs: Sequence[Job]) -> list[Job]:
        """Take in what is there already; those without an outcome are returned."""
        self.jobs |= {job.id: job for job in jobs}
        return [job for job in jobs if not self._settled(job.id)]

    def close(self, ids: Sequence[str], why: str) -> None:
        """Give those that will not run an outcome for the night: begun and stopped, or never begun."""
        for name in ids:
            progress = read_progress(self.folder.job(name))
            begun = bool(progress.attempts or progress.began or progress.steps)
            self._keep(
                JobOutcome(
                    job=name,
                    status="interrupted" if begun else "not_begun",
                    attempts=progress.attempts,
                    text=f"It {'was stopped' if begun else 'did not begin'}: {why}.",
                )
            )

    def _may_begin(self, waiting: Sequence[Job]) -> bool:
        self.stopped = self.stopped or self.limits.reached(self._spent())
        if waiting and self.stopped:
            self.close([job.id for job in waiting], self.stopped)
        return bool(waiting) and not self.stopped

    def _until_ended(self, executor: Executor, left: set[str]) -> None:
        drained = False
        while left:
            if not drained and (why := self.limits.reached(self._spent())):
                drained, self.stopped = True, why
                begun = left - set(executor.drain())
                self.close(sorted(left - begun), why)
                left &= begun
            if left and self.limits.is_past:
                executor.cancel()
                stopped = [name for name in sorted(left) if not self._settled(name)]
                self.close(stopped, self.stopped or "the deadline came first")
                return
            for ended in executor.wait(self._patience()):
                if ended.job in left and self._over(executor, ended, drained):
                    left.discard(ended.job)
            left -= self._from_elsewhere(executor, drained)

    def _patience(self) -> float:
        left = self.limits.left_s
        return LOOK_SECONDS if left is None else max(0.1, min(LOOK_SECONDS, left))

    def _over(self, executor: Executor, ended: Ended, drained: bool) -> bool:
        """Whether the job has ended for good; else it was given out again, or another process has it."""
        if self._settled(ended.job):
            return True
        if is_held(self.folder.job(ended.job)):
            self._elsewhere.add(ended.job)
            return False
        return not self._again(executor, ended, drained)

    def _again(self, executor: Executor, ended: Ended, drained: bool) -> bool:
        """Give a job without an outcome out again; False where that was done often enough: then it has one."""
        self._lost[ended.job] += 1
        if self._lost[ended.job] <= self.retries and not drained:
            self.watch.said(f"{ended.job} is given out again. {ended.lost or ''}".strip())
            executor.start(self.folder, [self.jobs[ended.job]])
            return True
        progress = read_progress(self.folder.job(ended.job))
        error = JobLost(f"{ended.job} ended without an outcome, {self._lost[ended.job]} times.", ended.lost or "")
        outcome = JobOutcome(
            job=ended.job, status="infra_failed", attempts=progress.attempts, code=error.code, text=str(error)
        )
        self.folder.job(ended.job).path.mkdir(parents=True, exist_ok=True)
        write_outcome(self.folder.job(ended.job), outcome)
        self._keep(outcome)
        return False

    def _from_elsewhere(self, executor: Executor, drained: bool) -> set[str]:
        """Of the jobs that other processes hold, those that have ended by now; one that was let go is given out again."""
        over: set[str] = set()
        for name in sorted(self._elsewhere):
            if is_held(self.folder.job(name)):
                continue
            self._elsewhere.discard(name)
            if self._settled(name) or not self._again(executor, Ended(name), drained):
                over.add(name)
        return over

    def _settled(self, name: str) -> bool:
        """Whether the job has an outcome that stands, its runs taken in."""
        place, job = self.folder.job(name), self.jobs[name]
        if name in self.outcomes:
            return True
        outcome = read_outcome(place)
        if outcome is None:
            return False
        try:
            told = take_in(self.folder.results, place, job, outcome)
        except WrongAccelerator as error:
            outcome, told = _of_wrong_gpu(outcome, error), ()
            write_outcome(place, outcome)
        if outcome.code == WrongAccelerator.code and _times(outcome) <= self.retries:
            # The attempts stay, so that it is tried elsewhere so often and no more.
            write_progress(place, Progress(attempts=outcome.attempts))
            place.outcome.unlink(missing_ok=True)
            self._lost[name] -= 1  # giving it out again is that other try
            return False
        self.findings += told
        self._keep(outcome)
        return True

    def _keep(self, outcome: JobOutcome) -> None:
        self.outcomes[outcome.job] = outcome
        self.watch.ended(self.jobs[outcome.job], outcome)

    def _spent(self) -> float:
        return gpu_hours(self.jobs, self.outcomes.values())


def _of_wrong_gpu(outcome: JobOutcome, error: WrongAccelerator) -> JobOutcome:
    """What the outcome of a job is worth whose records are of another GPU: nothing; its last attempt says why."""
    told = {"exit_code": None, "code": error.code, "text": str(error)}
    attempts = tuple(one.model_copy(update=told if one is outcome.attempts[-1] else {}) for one in outcome.attempts)
    return JobOutcome(job=outcome.job, status="infra_failed", attempts=attempts, code=error.code, text=str(error))


def _times(outcome: JobOutcome) -> int:
    return sum(one.code == WrongAccelerator.code for one in outcome.attempts)
