"""Which nodes of a cluster a job of a night may go to now, by what they have, what runs there, and what became of it before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backends.nodes.accelerators import RAY_TYPES, resources_of
from backends.nodes.cluster import Node
from harness.records.night import Job


@dataclass
class Known:
    """What the nodes of this night have turned out to be."""

    tried: dict[str, list[str]] = field(default_factory=lambda: defaultdict[str, list[str]](list))
    """Job → the nodes that it has begun on."""
    false: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    """Accelerator → the nodes that say that they have it, and do not."""

    def fitting(self, job: Job, nodes: Sequence[Node]) -> list[Node]:
        """Those that could run it: of them, where there are any, those that it has not been on."""
        wanted = wanted_of(job)
        false = self.false[job.accelerator] if job.accelerator else set[str]()
        fits = [node for node in nodes if node.has(wanted) and node.id not in false]
        return [node for node in fits if node.id not in self.tried[job.id]] or fits

    def missing(self, job: Job, nodes: Sequence[Node]) -> str:
        """Why no node fits, in words."""
        if job.accelerator is None:
            return f"No node of the cluster has a core for it; there are {len(nodes)} nodes."
        kind = RAY_TYPES.get(job.accelerator, job.accelerator)
        false = [node.host for node in nodes if node.id in self.false[job.accelerator]]
        liars = f" {' and '.join(false)} told Ray of one and had another GPU." if false else ""
        return f"No node with {job.accelerator} (Ray's {kind}) is in the cluster; there are {len(nodes)} nodes.{liars}"


def wanted_of(job: Job) -> dict[str, float]:
    """What a job asks of its node. A divided one asks for nothing: it might be what its own parts wait for."""
    return {"CPU": 0.0} if job.split > 1 else resources_of(job.accelerator)


def free(job: Job, fitting: Sequence[Node], running: Mapping[str, Sequence[Job]]) -> list[Node]:
    """Of the nodes that fit, those where nothing of this night runs that would disturb it, or that it would disturb.

    A CPU is one device, and feeds the GPUs: one job of it at a time, and none beside a speed job. A GPU has one job.
    """
    return [node for node in fitting if _may_join(job, node, running.get(node.id, ()))]


def _may_join(job: Job, node: Node, there: Sequence[Job]) -> bool:
    if job.split > 1:
        return True
    of_cpu = [one for one in there if one.accelerator is None and one.split == 1]
    of_gpu = [one for one in there if one.accelerator is not None and one.split == 1]
    if job.accelerator is None:
        return not of_cpu and not any(one.kind == "bench" for one in of_gpu)
    if job.kind == "bench" and of_cpu:
        return False
    return len(of_gpu) < node.resources.get("GPU", 0)
