"""A Slurm of several nodes on this machine: real daemons in a folder of their own, and a node that can lose its power.

Needs Debian's slurm-wlm and munge (slurmctld, slurmd, munged), no root, no systemd and no cgroups.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
PATIENCE_S = 600
"""Nothing takes so long on a machine that works: a bound, so that a test fails instead of hanging."""
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
"""Daemons are not on everybody's path."""

# linuxproc, task/none and no accounting ask nothing of the machine. A dead node is noticed after SlurmdTimeout, and its job
# waits cred_expire seconds before it starts again (Slurm's least is 5, its default 120).
CONFIGURATION = """\
ClusterName=minizoo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=defer_batch,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
SlurmdTimeout=5
MessageTimeout=5
KillWait=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1\n"


def missing_programs() -> list[str]:
    """Which of Slurm's programs this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


@contextlib.contextmanager
def slurm_cluster(nodes: int = 2) -> Iterator[SlurmCluster]:
    """A cluster whose nodes are idle; all its processes and files are gone after the block."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:  # a socket's path is short, pytest's folders are long
        cluster = SlurmCluster(Path(folder), [f"node{number}" for number in range(1, nodes + 1)])
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


class SlurmCluster:
    """Nodes `node1`, `node2` …, each a slurmd with one CPU."""

    def __init__(self, folder: Path, nodes: list[str]) -> None:
        self.folder = folder
        self.nodes = nodes
        self.env = {**os.environ, "PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start the daemons and wait until every node is idle."""
        self._configure()
        files = {name: f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "seed", "log")}
        self._daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge.sock", *files.values())
        wait_until((self.folder / "munge.sock").exists, "munged has no socket", self.logs)
        self._daemon("slurmctld", "-D", "-i")
        for node in self.nodes:
            self._daemon(node, "-D", "-N", node, program="slurmd")
        wait_until(lambda: set(self.states().values()) == {"idle"}, "not every node is idle", self.logs)

    def stop(self) -> None:
        """End every job and daemon."""
        for node in self.nodes:
            self.kill_node(node)
        for daemon in self._daemons.values():
            daemon.kill()
            daemon.wait()

    def call(self, *words: object, cwd: Path | None = None) -> str:
        """What one of Slurm's commands prints; raises with its words where it fails."""
        argv = [str(word) for word in words]
        ran = subprocess.run(argv, env=self.env, cwd=cwd, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{argv}: {ran.returncode}: {ran.stderr}\n{self.logs()}")
        return ran.stdout.strip()

    def states(self) -> dict[str, str]:
        """node → what the controller says of it; empty until it answers."""
        with contextlib.suppress(RuntimeError):
            lines = self.call("sinfo", "--noheader", "-N", "-o", "%N %T").splitlines()
            return dict(line.split() for line in lines)
        return {}

    def queue(self) -> list[tuple[str, str, str]]:
        """Job (`7_2` of an array), state and node of all that waits or runs."""
        lines = self.call("squeue", "--noheader", "--array", "-o", "%i|%T|%N").splitlines()
        return [(job, state, node) for job, state, node in (line.split("|") for line in lines)]

    def wait_for_end(self) -> None:
        """Until nothing waits and nothing runs."""
        wait_until(lambda: not self.queue(), "jobs wait or run", lambda: f"{self.queue()}\n{self.logs()}")

    def kill_node(self, node: str) -> None:
        """What a machine without power does: all its processes stop at once, and none says a word to the controller."""
        slurmd = self._daemons.get(node)
        stopped = [slurmd] if slurmd and slurmd.poll() is None else []
        pids = [daemon.pid for daemon in stopped]
        pids += self._of_jobs(node)
        for deed in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: none may see another die and write it down
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, deed)
        for daemon in stopped:
            daemon.wait()

    def _of_jobs(self, node: str) -> list[int]:
        """Processes of the jobs of a node, after the slurmstepd of each."""
        marks = {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={self.env['SLURM_CONF']}".encode()}
        pids: list[int] = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if marks <= set((process / "environ").read_bytes().split(b"\0")):
                    pids.append(int(process.name))
        parents = {parent for pid in pids if "slurmstepd" in _words(parent := _parent(pid))}
        return [*parents, *pids]

    def _configure(self) -> None:
        host, ports = socket.gethostname().split(".")[0], _free_ports(len(self.nodes) + 1)
        text = CONFIGURATION.format(host=host, ports=ports, user=getpass.getuser(), folder=self.folder)
        nodes = [NODE.format(name=name, host=host, port=port) for name, port in zip(self.nodes, ports[1:], strict=True)]
        (self.folder / "slurm.conf").write_text("".join([text, *nodes]))
        (self.folder / "state").mkdir()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))

    def _daemon(self, name: str, *words: str, program: str | None = None) -> None:
        with (self.folder / f"{name}.out").open("wb") as log:
            path = shutil.which(program or name, path=PATH)
            assert path is not None
            argv = [path, *words]
            self._daemons[name] = subprocess.Popen(argv, env=self.env, cwd=self.folder, stdout=log, stderr=log)

    def logs(self) -> str:
        """The ends of what the daemons said."""
        return "\n".join(f"{file.name}:\n{file.read_text()[-2000:]}" for file in sorted(self.folder.glob("*.out")))


def wait_until(holds: Callable[[], object], what: str, told: Callable[[], str] = str, every: float = 0.2) -> None:
    """Wait until it holds, looking so often; fail with `what` and what is told of it where it never does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}\n{told()}")
        time.sleep(every)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return ""
