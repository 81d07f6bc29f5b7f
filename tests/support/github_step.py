"""A step of a workflow run as GitHub's runner does it, with a stand-in for `minizoo`."""

import os
import subprocess
from pathlib import Path

from ruamel.yaml import YAML


def run_step(workflow: Path, job: str, step: str, folder: Path, stub: str) -> subprocess.CompletedProcess[str]:
    """The script of that step, in `folder`, where `minizoo` is the shell script `stub`; what it tells GitHub lies there too."""
    minizoo = folder / "bin" / "minizoo"
    minizoo.parent.mkdir()
    minizoo.write_text(f"#!/bin/sh\n{stub}")
    minizoo.chmod(0o755)
    steps = YAML(typ="safe").load(workflow.read_text("utf-8"))["jobs"][job]["steps"]
    (script,) = [one["run"] for one in steps if one.get("id") == step]
    env = {"PATH": f"{minizoo.parent}:{os.environ['PATH']}"}
    env |= {name: str(folder / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True, check=False)
