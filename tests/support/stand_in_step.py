"""What a job of a night runs in the place of `python -m minizoo`: it leaves real records, or ends as it is told, at once.

The words after the command say what it does: `ok`, `undecided`, `task-failed`, `usage`, `environment`, `fault`, `kill`,
`silent`, `sleep`; `first:WORD` does that the first time, and is `ok` later. `gpu:NAME` is the GPU of its record.
"""

import json
import os
import signal
import stat
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ENDS = {"usage": (2, "unknown-model"), "environment": (4, "hub-unreachable"), "fault": (70, "internal-error")}


def interpreter(folder: Path) -> str:
    """An executable that stands in for Python in a `Step`."""
    path = folder / "stand-in"
    if not path.exists():
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def main(words: list[str]) -> int:
    results = Path(words[words.index("--results") + 1])
    results.mkdir(parents=True, exist_ok=True)
    with (results / "times").open("a") as times:
        times.write(f"{os.getpid()} {' '.join(words[2 : words.index('--results')])}\n")
    does = words[3:]
    gpu = next((word.removeprefix("gpu:") for word in does if word.startswith("gpu:")), None)
    word = does[0]
    if word.startswith("first:"):
        before = len((results / "times").read_text().splitlines()) > 1
        word = "ok" if before else word.removeprefix("first:")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "sleep":
        time.sleep(120)
    if word == "silent":
        return 0
    if word in ENDS:
        code, name = ENDS[word]
        print(
            json.dumps(
                {"schema": "minizoo.error/1", "code": name, "what": "It cannot be.", "hint": "", "exit_code": code}
            )
        )
        return code
    return leave_record(results, word, gpu)


def leave_record(results: Path, word: str, gpu: str | None) -> int:
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    from harness.records.files import write_record
    from support.records import record, samples

    made = record(task="nano_words", suite="nano")
    made = made.model_copy(update={"setting": made.setting.model_copy(update={"gpu": gpu})})
    status = {"undecided": "unverified", "task-failed": "failed"}.get(word, "ok")
    if status != "ok":
        made = made.model_copy(
            update={"status": status, "reason": "so it is told", "code": None if word == "undecided" else "x"}
        )
    write_record(results, made, samples())
    print(json.dumps({"run_id": made.run_id, "records": [json.loads(made.model_dump_json())]}))
    return {"undecided": 3, "task-failed": 4}.get(word, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
