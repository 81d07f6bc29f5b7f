"""Opening one backend on several nodes, so that they share the work of each call."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from backends.contract import Backend, Elsewhere, Nodes, Options
from backends.nodes.accelerators import CPU, as_options, check_accelerator, resources_of
from backends.nodes.cluster import Node, alive_nodes, join
from backends.nodes.member import Member, Opening, minizoo_version
from backends.nodes.same_files import described
from backends.nodes.worker import NodeWorker
from backends.several.backend import SeveralBackend
from backends.several.seats import ALL
from backends.tokenizer import HfTokenizer
from backends.workers.backend import WorkerBackend
from backends.workers.opening import opening_of
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import NodesMissing, SeveralDevices

log = logging.getLogger(__name__)

PLACING_SECONDS = 600.0
"""How long nodes may be busy with other work before an evaluation is given up."""
CALLS_AT_A_TIME = 8
"""Of one actor: what is taken, beside what stops it."""
BY_THEMSELVES = ("vllm", "trtllm")
"""Engines that find their interpreter themselves, and are told of one."""


class NodesBackend(SeveralBackend):
    """A backend over members on nodes; what they hold is given back when it closes."""

    def __init__(self, members: list[WorkerBackend], group: Any, ray: Any) -> None:
        """SeveralDevices where the members would not give the same numbers."""
        super().__init__(members)
        self._group, self._ray = group, ray
        told = [_described(member) for member in members]
        gpus = {one.get("gpu") for one in told}
        if len(gpus) > 1:
            raise SeveralDevices(
                f"The nodes have different GPUs, {' and '.join(sorted(map(str, gpus)))}, whose numbers differ.",
                "Name one kind: `--accelerator NAME`.",
            )
        hosts = dict.fromkeys(str(one["host"]) for one in told)
        self.devices = tuple(member.place for member in members)
        self.elsewhere = Elsewhere(", ".join(hosts), _text(told[0].get("gpu")), _text(told[0].get("driver")))
        """What a record says of the machine, instead of this one."""

    def close(self) -> None:
        """End all members and give their places back."""
        super().close()
        _given_back(self._ray, self._group)


def open_on_nodes(name: str, checkpoint: Checkpoint, options: Options, nodes: Nodes) -> Backend:
    """The backend of that name on as many devices of the cluster as `nodes` says, spread over its nodes.

    Raises what `join` raises, UnknownName for an accelerator, SeveralDevices for words that contradict each other and nodes
    that would not give the same numbers, NodesMissing where there are too few or they stay busy, NodeUnfit for a node that
    has another minizoo or does not see the model's folder, and what `open_worker` raises there.
    """
    _check_words(name, options)
    ray = join(nodes.address)
    wanted = _wanted(alive_nodes(ray), options, nodes)
    group = _placed(ray, wanted, nodes)
    members: list[WorkerBackend] = []
    try:
        members = _opened(ray, group, wanted, name, checkpoint, options, nodes)
        return NodesBackend(members, group, ray)
    except BaseException:
        for member in members:
            member.close()
        _given_back(ray, group)
        raise


def _check_words(name: str, options: Options) -> None:
    if name == "openai":
        raise SeveralDevices(
            "A served model runs where its server is, and --ray says where to run it.", "Leave out --ray."
        )
    if options.workers or options.devices not in ((), ALL):
        raise SeveralDevices("--ray divides the work over nodes, a device each; --devices and --workers divide it here.",
                             "Give one of them.")  # fmt: skip


def _wanted(there: list[Node], options: Options, nodes: Nodes) -> dict[str, float]:
    """What each member asks of its node. NodesMissing at once where the cluster can never give it."""
    offered = {name for node in there for name in node.resources}
    accelerator = nodes.accelerator or (CPU if options.device == CPU else None)
    if accelerator is not None:
        check_accelerator(accelerator, offered)
        wanted = resources_of(accelerator)
    else:
        wanted = {"CPU": 1.0, "GPU": 1.0} if "GPU" in offered or options.device != "auto" else {"CPU": 1.0}
    room = sum(_room(node, wanted) for node in there)
    if room < nodes.count:
        asked = accelerator or ("a GPU" if "GPU" in wanted else "a core")
        raise NodesMissing(
            f"The evaluation asks for {nodes.count} nodes with {asked}, and the cluster has room for {room} of "
            f"{len(there)} nodes.",
            "Give fewer `--nodes`, another `--accelerator`, or add nodes (`ray status` shows what there is).",
        )
    return wanted


def _room(node: Node, wanted: dict[str, float]) -> int:
    """How many members a node could hold: one a GPU, and of the CPU one, since its cores are one device."""
    if not node.has(wanted):
        return 0
    return int(node.resources["GPU"]) if "GPU" in wanted else 1


def _placed(ray: Any, wanted: dict[str, float], nodes: Nodes) -> Any:
    """Places for all members, held together: half of them would wait for the other half of another evaluation."""
    from ray.util import placement_group  # pyright: ignore[reportUnknownVariableType]

    make: Any = placement_group
    strategy = "SPREAD" if "GPU" in wanted else "STRICT_SPREAD"
    group = make([dict(wanted)] * nodes.count, strategy=strategy)
    if not group.wait(PLACING_SECONDS):
        _given_back(ray, group)
        raise NodesMissing(
            f"{nodes.count} nodes were not free together within {PLACING_SECONDS / 60:.0f} minutes.",
            "Wait for what runs there (`ray status`), or give fewer `--nodes`.",
        )
    return group


def _opened(
    ray: Any,
    group: Any,
    wanted: dict[str, float],
    name: str,
    checkpoint: Checkpoint,
    options: Options,
    nodes: Nodes,
) -> list[WorkerBackend]:
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    tokenizer = HfTokenizer(checkpoint.folder)
    told = _opening(name, checkpoint, options, "cuda" if "GPU" in wanted else CPU)
    asked = {"max_concurrency": CALLS_AT_A_TIME, "max_restarts": 0, "max_task_retries": 0, **as_options(wanted)}

    def opened(place: int) -> WorkerBackend:
        strategy = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=place)
        one = ray.remote(Member).options(scheduling_strategy=strategy, **asked).remote()
        try:
            worker = NodeWorker(ray, one, told, f"node {place + 1} of {nodes.count}")
        except BaseException:
            with suppress(Exception):
                ray.kill(one)
            raise
        return WorkerBackend(worker, tokenizer)

    with ThreadPoolExecutor(nodes.count, "opening") as openers:
        begun = [openers.submit(opened, place) for place in range(nodes.count)]
    members = [one.result() for one in begun if not one.exception()]
    if len(members) < nodes.count:
        for member in members:
            member.close()
        raise next(error for one in begun if (error := one.exception()))
    log.info("the work is divided over %s", ", ".join(str(_described(one)["host"]) for one in members))
    return members


def _opening(name: str, checkpoint: Checkpoint, options: Options, device: str) -> Opening:
    own = replace(options, device=device, devices=(), workers=0, nodes=None)
    opening = opening_of(name, checkpoint, own)
    python = options.python
    if name in BY_THEMSELVES and python is not None:
        opening["options"]["python"], python = python, None
    cores = os.environ.get("OMP_NUM_THREADS", "")
    return Opening(
        name,
        opening,
        described(checkpoint.folder.resolve()),
        minizoo_version(),
        python,
        options.worker_command,
        int(cores) if cores.isdecimal() else 0,
    )


def _described(member: WorkerBackend) -> dict[str, Any]:
    worker = member.worker
    return worker.described


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _given_back(ray: Any, group: Any) -> None:
    from ray.util import remove_placement_group  # pyright: ignore[reportUnknownVariableType]

    remove: Any = remove_placement_group
    with suppress(Exception):  # a cluster that is gone holds nothing
        remove(group)
