"""Write text of the nano world for a distillation: python examples/distill_nano.py OUT.jsonl [DOCUMENTS]."""

import itertools
import json
import sys
from pathlib import Path

from zoo.nano.corpus import documents

SEED = 4  # the teacher's own text has 1 and 3, the calibration rows of its students 2; test items are in none of them


def main(out: str, count: str = "40000") -> None:
    with Path(out).open("w", encoding="utf-8") as file:
        for text in itertools.islice(documents(SEED), int(count)):
            file.write(json.dumps({"text": text}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
