"""The executor of a fleet: a Ray task a job, on a node that has its GPU; what a lost node had goes elsewhere."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backends.nodes.accelerators import as_options
from backends.nodes.cluster import Node, alive_nodes, join
from harness.fleet.executor import Ended
from harness.fleet.folders import NightFolder
from harness.fleet.jobs.progress import read_outcome, read_progress
from harness.fleet.ray.on_node import OWN, Began, Exited, Given, run_on_node
from harness.fleet.ray.placement import Known, free, wanted_of
from harness.records.night import Job
from zoo.errors import WrongAccelerator, one_line

PATIENCE_SECONDS = 120.0
"""How long a node that fits is waited for where there is none: one that starts anew, or is being added."""
LOOK_SECONDS = 2.0
"""How often the cluster's nodes are looked at."""
CANCEL_SECONDS = 45.0
"""For jobs that are asked to stop, before Ray ends their processes."""
NODE_ID = "ray.io/node-id"
"""The label that Ray gives every node."""


@dataclass
class _Task:
    """A job that this executor was given."""

    night: NightFolder
    job: Job
    coming: Any = None
    """What the task tells, as it comes; None: it is not given to Ray yet."""
    nodes: Sequence[str] = ()
    """Those that Ray may choose from."""
    began: Began | None = None
    alone_since: float | None = None
    """Since when no node has fitted it."""


class RayExecutor:
    """Jobs as tasks, which Ray places by `accelerator_type` among the nodes that are free for them.

    Ray tries none of them again: a job whose node is lost has ended, and goes to another node when it is started again. One
    whose node has another GPU than it told Ray goes to another too, and so do all further ones of that GPU.
    """

    name = "ray"

    def __init__(self, address: str, patience: float = PATIENCE_SECONDS) -> None:
        """Join the cluster. Raises what `join` raises."""
        self._ray = join(address)
        self._patience = patience
        self._known = Known()
        self._waiting: list[_Task] = []
        self._running: list[_Task] = []

    def start(self, night: NightFolder, jobs: Sequence[Job]) -> None:
        """Take jobs on; they are given to Ray in `wait`, as nodes are free for them."""
        for job in jobs:
            self._learn(night, job)
        self._waiting += [_Task(night, job) for job in jobs]

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Give Ray what a node is free for, and wait for an end."""
        until = time.monotonic() + seconds
        while True:
            nodes = alive_nodes(self._ray)
            self._call_back(nodes)
            ended = [*self._hopeless(nodes)]
            self._submit(nodes)
            left = until - time.monotonic()
            ended += self._told(0.0 if ended else max(0.0, min(LOOK_SECONDS, left)))
            if ended or time.monotonic() >= until:
                return ended

    def drain(self) -> Sequence[str]:
        """Begin nothing more. What Ray holds and has not begun is taken back from it."""
        pending = [task for task in self._running if task.began is None]
        for task in pending:
            self._ray.cancel(task.coming)
        left = [task.job.id for task in (*pending, *self._waiting)]
        self._running = [task for task in self._running if task.began is not None]
        self._waiting.clear()
        return left

    def cancel(self) -> None:
        """Have each job stop by SIGTERM on its node; what has not ended some time later Ray ends, and its processes with it."""
        self._waiting.clear()
        for task in self._running:
            self._ray.cancel(task.coming)
        until = time.monotonic() + CANCEL_SECONDS
        while self._running and time.monotonic() < until:
            self._told(LOOK_SECONDS)
        for task in self._running:
            self._ray.cancel(task.coming, force=True)
        self._running.clear()

    def where(self, job: str) -> Began | None:
        """The node that a job runs on; None where it has not begun."""
        return next((task.began for task in self._running if task.job.id == job), None)

    def _submit(self, nodes: Sequence[Node]) -> None:
        """Give Ray one job of each kind at most that has not begun: where those that have run decides where the next may go."""
        for task in list(self._waiting):
            if any(_apart(task.job, other.job) for other in self._running if other.began is None):
                continue
            chosen = free(task.job, self._known.fitting(task.job, nodes), self._there())
            if not chosen:
                continue
            self._waiting.remove(task)
            task.nodes = [node.id for node in chosen]
            task.coming = self._remote(task)
            self._running.append(task)

    def _remote(self, task: _Task) -> Any:
        job = task.job
        given = Given(
            str(task.night.path.resolve()),
            job.id,
            job.accelerator is not None and job.split == 1,
            str(self._ray.get_runtime_context().gcs_address),
            {name: value for name, value in os.environ.items() if name.startswith(OWN)},
            os.environ.get("OMP_NUM_THREADS"),
        )
        return (
            self._ray.remote(run_on_node)
            .options(
                name=job.id,
                num_returns="streaming",
                max_retries=0,
                label_selector={NODE_ID: f"in({','.join(task.nodes)})"},
                **as_options(wanted_of(job)),
            )
            .remote(given)
        )

    def _there(self) -> Mapping[str, Sequence[Job]]:
        """Node → the jobs that run on it."""
        there: dict[str, list[Job]] = defaultdict(list)
        for task in self._running:
            if task.began is not None:
                there[task.began.node].append(task.job)
        return there

    def _call_back(self, nodes: Sequence[Node]) -> None:
        """Take from Ray what waits for nodes that are gone: it would wait for ever."""
        alive = {node.id for node in nodes}
        for task in [one for one in self._running if one.began is None and not alive & set(one.nodes)]:
            self._ray.cancel(task.coming)
            self._running.remove(task)
            self._waiting.insert(0, _Task(task.night, task.job))

    def _hopeless(self, nodes: Sequence[Node]) -> Sequence[Ended]:
        """Jobs for which there has been no node for long."""
        ended: list[Ended] = []
        for task in list(self._waiting):
            if self._known.fitting(task.job, nodes):
                task.alone_since = None
            elif task.alone_since is None:
                task.alone_since = time.monotonic()
            if task.alone_since is not None and time.monotonic() - task.alone_since >= self._patience:
                self._waiting.remove(task)
                ended.append(Ended(task.job.id, self._known.missing(task.job, nodes)))
        return ended

    def _told(self, seconds: float) -> list[Ended]:
        """What tasks tell within so many seconds, taken in; those that ended."""
        if not self._running:
            time.sleep(seconds)
            return []
        tasks = {task.coming: task for task in self._running}
        ready, _ = self._ray.wait(list(tasks), num_returns=1, timeout=seconds)
        return [ended for one in ready if (ended := self._heard(tasks[one])) is not None]

    def _heard(self, task: _Task) -> Ended | None:
        try:
            told = self._ray.get(next(task.coming))
        except StopIteration:
            return self._ended(task, "Its task ended without a word.")
        except self._ray.exceptions.RayError as error:
            return self._ended(task, self._lost(task, error))
        if isinstance(told, Began):
            task.began = told
            self._known.tried[task.job.id].append(told.node)
            return None
        return self._ended(task, _how(task, told))

    def _ended(self, task: _Task, lost: str) -> Ended:
        self._running.remove(task)
        self._learn(task.night, task.job)
        return Ended(task.job.id, lost)

    def _lost(self, task: _Task, error: Any) -> str:
        host = task.began.host if task.began else "its node"
        if isinstance(error, self._ray.exceptions.NodeDiedError):
            return f"{host} died, or Ray lost sight of it."
        if isinstance(error, self._ray.exceptions.WorkerCrashedError):
            return f"The process that ran it on {host} was killed."
        if isinstance(error, self._ray.exceptions.TaskCancelledError):
            return f"It was cancelled on {host}."
        return f"Ray could not run it on {host} ({type(error).__name__}: {one_line(error)[:200]})."

    def _learn(self, night: NightFolder, job: Job) -> None:
        """Whether the node that a job was last on has another GPU than it says."""
        outcome, attempts = read_outcome(night.job(job.id)), read_progress(night.job(job.id)).attempts
        codes = (outcome.code if outcome else None, attempts[-1].code if attempts else None)
        if WrongAccelerator.code in codes and job.accelerator and self._known.tried[job.id]:
            self._known.false[job.accelerator].add(self._known.tried[job.id][-1])


def _apart(job: Job, other: Job) -> bool:
    """Whether a job must wait until another one has begun: one kind of node at a time, and speed apart from the CPU's work."""
    kinds = {job.accelerator, other.accelerator}
    return len(kinds) == 1 or (None in kinds and "bench" in (job.kind, other.kind))


def _how(task: _Task, told: Exited) -> str:
    host = task.began.host if task.began else "its node"
    how = f"killed by signal {-told.code}" if told.code < 0 else f"exit code {told.code}"
    return f"Its process on {host} ended ({how}){f': {told.said}' if told.said else ''}"
