"""Ray: whether it is installed, and whether a cluster is there that a night could run on."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.nodes.cluster import cluster_here
from minizoo.doctor.result import CheckResult

INSTALL = 'Install it on every node: `pip install "minizoo[cluster]"`.'


def check_ray(_: Path) -> CheckResult:
    """The package, and the cluster that `--ray auto` would mean."""
    try:
        installed = version("ray")
    except PackageNotFoundError:
        return CheckResult("warn", "not installed; `--ray` needs it", INSTALL)
    address = cluster_here()
    where = f"a cluster answers at {address}" if address else "no cluster of this machine"
    return CheckResult("ok", f"ray {installed}; {where}")
