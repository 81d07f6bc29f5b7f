"""The `openai` backend against vLLM's own server, beside the `vllm` backend: a suite's scores, and what dropped connections do.

    python benchmarks/served.py --python VLLM_PYTHON [--model nano-teacher] [--suite nano] [--limit N] [--drop 0.1]

Serves the model by `vllm serve` on loopback and evaluates it by the `vllm` backend, by `openai`, and by `openai` through a
relay that cuts the connection, by the share `--drop` and drawn by `--seed`, in the midst of an answer. Scores must be equal
but for tasks whose answers are drawn; nothing may be lost. Writes them to `--out` and exits 1 where they are not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
from support.vllm_serve import vllm_serve  # noqa: E402

from zoo.checkpoint.locate import locate  # noqa: E402

DRAWN = ("nano_code",)
"""Tasks whose answers are drawn by the engine's own random numbers."""
TOLERANCE = 1e-5
"""Relative, of a score that is a mean of log-likelihoods: the server batches otherwise than the backend does."""


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--python", required=True, help="an interpreter with vLLM")
    words.add_argument("--model", default="nano-teacher")
    words.add_argument("--suite", default="nano")
    words.add_argument("--limit", type=int)
    words.add_argument("--drop", type=float, default=0.1)
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--out", type=Path, default=HERE / "served.json")
    args = words.parse_args()
    found: dict[str, Any] = {"vllm": evaluated(args, ["--backend", "vllm", "--device", "cpu", "--python", args.python])}
    checkpoint = locate(args.model)
    serving = vllm_serve(args.python, checkpoint.folder, args.model, checkpoint.max_length + 2)
    with serving as port, Relay(port, args.drop, args.seed) as relay:
        found["openai"] = evaluated(args, ["--backend", "openai", "--endpoint", f"http://127.0.0.1:{port}"])
        found["openai, dropped"] = evaluated(
            args, ["--backend", "openai", "--endpoint", f"http://127.0.0.1:{relay.port}"]
        )
        found["openai, dropped"] |= {"answers": relay.answers, "cut": relay.cut}
    problems = differences(found)
    args.out.write_text(
        json.dumps({"model": args.model, "suite": args.suite, "sides": found, "differences": problems}, indent=1) + "\n"
    )
    print(json.dumps(found, indent=1), *problems, sep="\n")
    return int(bool(problems))


def evaluated(args: argparse.Namespace, how: Sequence[str]) -> dict[str, Any]:
    """Scores, documents and seconds of one evaluation by the command."""
    limit = ["--limit", str(args.limit)] if args.limit else []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as results:
        command = [
            sys.executable,
            "-m",
            "minizoo",
            "eval",
            args.model,
            "--suite",
            args.suite,
            *limit,
            *how,
            "--results",
            results,
            "--json",
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    scores = {
        f"{record['task']} {one['metric']} {one['filter']}": [one["value"], one["n"]]
        for record in json.loads(done.stdout)["records"]
        for one in record["scores"]
    }
    return {"seconds": round(time.monotonic() - began, 1), "scores": scores}


def differences(found: dict[str, Any]) -> list[str]:
    """Sentences for what is not as the vllm backend has it."""
    told: list[str] = []
    for side in ("openai", "openai, dropped"):
        for name, (value, n) in found["vllm"]["scores"].items():
            ours, documents = found[side]["scores"].get(name, (None, 0))
            drawn = name.startswith(DRAWN)
            if documents != n or ours is None:
                told.append(f"{side}: {name} has {documents} of {n} documents")
            elif not drawn and abs(ours - value) > TOLERANCE * abs(value):
                told.append(f"{side}: {name} is {ours}, and {value} by vllm")
    if not found["openai, dropped"]["cut"]:
        told.append("no connection was cut")
    return told


class Relay:
    """Passes connections on to a port, and cuts them in the midst of a share of what comes back."""

    def __init__(self, target: int, drop: float, seed: int) -> None:
        self._target, self._drop, self._random = target, drop, random.Random(seed)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.answers = self.cut = 0

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(1 << 16):
                cuts = answers and self._random.random() < self._drop
                self.answers += answers
                self.cut += cuts
                target.sendall(content[: len(content) // 2] if cuts else content)
                if cuts:
                    break
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    sys.exit(main())
