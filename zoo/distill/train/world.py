"""Who trains: one process, or the ranks that torchrun started; and what one of them does for all."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist

from zoo.errors import DeviceMissing, InternalError, MinizooError, RankLost, WorldTooSmall, one_line

T = TypeVar("T")
Parallel = Literal["auto", "none", "ddp", "fsdp"]

PATIENCE = timedelta(minutes=10)
"""How long a rank waits for the others within a step before it takes them for lost."""
EVALUATION_PATIENCE = timedelta(days=2)
"""How long it waits while the first one writes or measures."""
TORCHRUN = "torchrun --nproc-per-node N -m minizoo distill …"
LAUNCHERS = {"SLURM_STEP_NUM_TASKS": "srun", "OMPI_COMM_WORLD_SIZE": "mpirun", "PMI_SIZE": "mpiexec"}
"""The variable by which a launcher tells how many processes it started: each would think that it is alone."""
LOST = (
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "socket timeout",
    "timed out",
    "nccl error",
)
"""How gloo and NCCL speak of a peer that is gone, in lower case."""


@dataclass(frozen=True)
class World:
    """One process of a run: which of how many it is, on which device, and how the student is spread over them."""

    device: torch.device
    rank: int = 0
    size: int = 1
    mode: Literal["none", "ddp", "fsdp"] = "none"
    control: Any = None
    """A process group over gloo for what is said around saving and measuring: it waits as long as those take."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and tells the user."""
        return self.rank == 0

    def first(self, action: Callable[[], T]) -> T:
        """The result of `action`, done by the first rank alone; its error is raised on every rank.

        Everybody waits for it. The result is pickled for the others.
        """
        if self.size == 1:
            return action()
        said: list[Any] = [None, None]
        error: Exception | None = None
        if self.is_first:
            try:
                said[0] = action()
            except Exception as caught:  # whatever it is, the others must not wait for it
                error, said = caught, [None, _portable(caught)]
        with naming_lost_ranks("between two steps"):
            dist.broadcast_object_list(said, src=0, group=self.control)
        if error is not None:
            raise error
        if said[1] is not None:
            raise said[1]
        return said[0]

    def each(self, action: Callable[[], object]) -> None:
        """Do `action` on every rank; where it fails on one, its error is raised on all."""
        error: Exception | None = None
        try:
            action()
        except Exception as caught:  # whatever it is, the others must not go on without this rank
            error = caught
        failed = [one for one in self.gather(None if error is None else _portable(error)) if one is not None]
        if error is not None or failed:
            raise error or failed[0]

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, in their order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with naming_lost_ranks("between two steps"):
            dist.all_gather_object(found, value, group=self.control)
        return found

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums of these numbers over all ranks, in fp64; a rank that does not come within PATIENCE is lost."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64)
        with naming_lost_ranks("in a step"):
            dist.all_reduce(tensor)
        return tensor.tolist()


@contextlib.contextmanager
def open_world(
    parallel: Parallel = "auto",
    device: str = "auto",
    environment: Mapping[str, str] = os.environ,
    offload: bool = False,
) -> Generator[World]:
    """The world that this process is part of, its process group opened and closed again.

    auto: one process alone, under torchrun `fully_shard`. `offload` is a matter of `fully_shard`, so one process is a group of
    one then. gloo joins processes on a CPU, NCCL those on GPUs. Raises WorldTooSmall where one process runs and several were
    meant, DeviceMissing for a GPU that is not there.
    """
    size = int(environment.get("WORLD_SIZE", "1"))
    _refuse_lonely(parallel, environment)
    rank, local = int(environment.get("RANK", "0")), int(environment.get("LOCAL_RANK", "0"))
    where = _device(device, local)
    if parallel == "none" and size > 1:
        raise WorldTooSmall(
            f"The run is to be of one process, and torchrun started {size}.",
            "Leave `parallel` at auto, or start it alone.",
        )
    alone = "WORLD_SIZE" not in environment
    if not offload and (alone or (size == 1 and parallel in ("auto", "none"))):
        yield World(where)
        return
    meeting: dict[str, Any] = {}
    if alone:
        store = dist.HashStore()  # pyright: ignore[reportPrivateImportUsage] (torch's stub)
        meeting = {"store": store, "rank": 0, "world_size": 1}
    try:
        backends = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
        dist.init_process_group(backends, timeout=PATIENCE, **meeting)
    except (RuntimeError, ValueError) as error:
        raise WorldTooSmall(
            f"The {size} processes did not find each other ({one_line(error)}).",
            f"Start all of them with torchrun: {TORCHRUN}.",
        ) from error
    try:
        control = dist.new_group(backend="gloo", timeout=EVALUATION_PATIENCE)
        yield World(where, rank, size, "ddp" if parallel == "ddp" else "fsdp", control)
    finally:
        with contextlib.suppress(RuntimeError, ValueError):  # a rank that is lost cannot be asked to leave
            dist.destroy_process_group()


@contextlib.contextmanager
def naming_lost_ranks(when: str) -> Generator[None]:
    """Raise RankLost for what gloo and NCCL raise where another rank died; everything else as it is."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if not isinstance(error, dist.DistError) and not any(sign in text for sign in LOST):
            raise
        raise RankLost(
            f"Another process of the run died or stopped answering {when} ({one_line(error).partition('. ')[0]}).",
            "Its own message stands further up in torchrun's output. The same command goes on from the last checkpoint.",
        ) from error


@contextlib.contextmanager
def telling_of_lost_ranks(world: World) -> Generator[None]:
    """Let RankLost reach the user, wherever of a run it comes up (between steps shards are moved too).

    torchrun ends the other ranks as soon as one has died, and this one has something to say. It sends SIGTERM, and SIGKILL half
    a minute later. The process is at its end then, so nothing is put back.
    """
    if world.size == 1:
        yield
        return
    try:
        with naming_lost_ranks("while shards were moved"):
            yield
    except RankLost:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise


def _refuse_lonely(parallel: Parallel, environment: Mapping[str, str]) -> None:
    if "WORLD_SIZE" in environment:
        return
    if parallel in ("ddp", "fsdp"):
        raise WorldTooSmall(
            f"{parallel} needs processes that torchrun starts, and this one is alone.", f"Run: {TORCHRUN}."
        )
    for variable, launcher in LAUNCHERS.items():
        count = environment.get(variable, "1")
        if count.isdigit() and int(count) > 1:
            raise WorldTooSmall(
                f"{launcher} started {count} processes that do not know of each other ({variable}).",
                f"Let it start one torchrun a node, and that the processes: {TORCHRUN}.",
            )


def _device(name: str, local: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceMissing(f"There is no device {name}.", "Give cpu, cuda or cuda:N.") from None
    if device.type != "cuda":
        return device
    index = device.index if ":" in name else local
    if index >= torch.cuda.device_count():
        raise DeviceMissing(
            f"There is no GPU {index}: torch sees {torch.cuda.device_count()}.",
            "Start as many processes as there are GPUs.",
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _portable(error: Exception) -> Exception:
    """The error as another process can read it."""
    if isinstance(error, MinizooError):
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # an error with arguments of its own
            return InternalError(f"The first process failed: {one_line(error)}")
        return error
    return InternalError(f"The first process failed: {type(error).__name__}: {one_line(error)}")
