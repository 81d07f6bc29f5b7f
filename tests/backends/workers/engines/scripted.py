"""An engine of arithmetic that breaks where it is told to, by the first token of a request's context: never where it is 1.

`options["engine"]["folder"]` is where it leaves marks, so that a fresh worker knows what the one before it did.
"""

import os
import signal
import sys
import time
from pathlib import Path

import wire

KILL_ONCE, KILL_ALWAYS, HANG_ONCE, GARBAGE_ONCE, RAISE, REFUSE, FULL, NAN, PRINT, LEAVE_OUT, INVENT, SLOW = range(
    100, 112
)


class Engine:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.marks = Path(options["engine"]["marks"])
        (self.marks / f"pid-{os.getpid()}").touch()
        started = options["engine"].get("start")
        if started == "dies":
            print("libengine: no such kernel", file=sys.stderr, flush=True)
            os._exit(7)
        if started == "dies again" and len(list(self.marks.glob("pid-*"))) > 1:
            os._exit(7)
        if started == "hangs":
            time.sleep(600)
        if started in wire.KINDS:
            raise wire.Refused(started, "said by the engine", code="device-missing", hint="Plug it in.")
        if started == "lacks":
            import a_package_that_is_not_there  # noqa: F401
        if started == "exhausted":
            raise MemoryError("8 GiB")
        if started == "raises":
            raise KeyError("layers.3")
        if started == "spawns":
            child = os.fork()
            if not child:
                time.sleep(600)
            (self.marks / f"child-{child}").touch()
        self.described = {
            "device": options["device"], "dtype": "float32", "compute_dtype": "float32", "versions": {"scripted": "1"},
            "max_length": 64, "score": True, "generate": True, "stream": True, "shares_prefixes": True,
            "vocabulary": 1000, "notes": ["It counts."],
        }  # fmt: skip

    def once(self, name):
        mark = self.marks / name
        first = not mark.exists()
        mark.touch()
        return first

    def check(self, requests):
        for request in requests:
            if "nonsense" in request["settings"]:
                raise wire.Refused("unsupported", "nonsense")

    def score(self, requests):
        with (self.marks / "asked").open("a") as file:
            file.write(f"{len(requests)}\n")
        for request in requests:
            word = request["context"][0]
            self.misbehave(word)
            if word == LEAVE_OUT:
                continue
            logprob = float("nan") if word == NAN else -float(sum(request["continuation"]))
            told = [-float(token) for token in request["continuation"]] if request["per_token"] else None
            index = 10_000 if word == INVENT else request["index"]
            yield {"index": index, "logprob": wire.as_json(logprob), "greedy": True, "token_logprobs": told}

    def misbehave(self, word):
        if (word == KILL_ONCE and self.once("killed")) or word == KILL_ALWAYS:
            os.kill(os.getpid(), signal.SIGKILL)
        if word == HANG_ONCE and self.once("hung"):
            time.sleep(600)
        if word == SLOW:
            time.sleep(0.05)
        if word == GARBAGE_ONCE and self.once("garbage"):
            for descriptor in range(3, 64):
                try:
                    os.write(descriptor, b"INFO 11-30 engine.py: a log line that lost its way\n")
                except OSError:
                    continue
        if word == RAISE:
            raise RuntimeError("CUDA error: device-side assert triggered")
        if word == REFUSE:
            raise wire.Refused("input", "65 tokens do not fit into 64")
        if word == FULL:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        if word == PRINT:
            print("x" * 100_000, flush=True)
            print("y" * 100_000, file=sys.stderr, flush=True)

    def generate(self, requests):
        for request in requests:
            self.misbehave(request["prompt"][0])
            yield {"index": request["index"], "tokens": [request["seed"]] * request["max_new_tokens"], "finish": "length",
                   "times": None, "finite": True}  # fmt: skip

    def stream(self, take, room, length):
        while (given := take(room, True)) is not None:
            for request in given:
                for token in range(request["new_tokens"]):
                    yield {"time": time.monotonic(), "tokens": [[request["index"], token]]}

    def peak_memory(self, reset):
        return None if reset else 12345

    def close(self):
        (self.marks / "closed").touch()
