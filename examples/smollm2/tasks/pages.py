"""Text for a distillation, split by hash: python examples/smollm2/tasks/pages.py OUT (--mirror DIR | --own FILE).

OUT/train.jsonl gets the training documents, one a line. With --mirror they are pages of WikiText-2's test set; the others,
a quarter, are what the task `smollm2_held_out` measures. With --own they are the texts of a .jsonl file (column `text`), and
OUT/mirror gets them all for the task `smollm2_own_held_out`, which takes the held-out ones. A document stays on its side
whatever else the text holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from lm_eval.tasks.wikitext import preprocess_wikitext

WIKITEXT = "EleutherAI/wikitext_document_level/wikitext-2-raw-v1/test.jsonl"
OWN = "own/text/default/test.jsonl"
ONE_OF = 4
"""One document of so many is held out."""
MEASURED = 6000
"""Characters of a held-out document that are measured, up to the end of a line: minutes on a laptop for a dozen documents."""


def is_held_out(document: str) -> bool:
    """Whether the document is never trained on: by sha256 of its text alone."""
    return int.from_bytes(hashlib.sha256(document.encode("utf-8")).digest()[:8]) % ONE_OF == 0


def held_out(documents: Any) -> Any:
    """For the tasks: the held-out rows of a data set whose column `page` holds the document, each with its beginning alone."""
    kept = documents.filter(lambda row: is_held_out(row["page"]))
    return kept.map(lambda row: {"page": beginning(row["page"])})


def beginning(document: str) -> str:
    """The document's lines as far as they end within MEASURED characters; of a longer first line its characters."""
    if len(document) <= MEASURED:
        return document
    return document[: document.rfind("\n", 0, MEASURED) + 1] or document[:MEASURED]


detokenized = preprocess_wikitext.wikitext_detokenizer
word_counts = preprocess_wikitext.process_results


def write(documents: list[str], shown: list[str], out: Path) -> tuple[int, int]:
    """Write `shown`, the training documents as they are trained on; returns how many are on either side."""
    sides = [is_held_out(document) for document in documents]
    out.mkdir(parents=True, exist_ok=True)
    with (out / "train.jsonl").open("w", encoding="utf-8") as file:
        for text, held in zip(shown, sides, strict=True):
            if not held:
                file.write(json.dumps({"text": text}) + "\n")
    return sides.count(False), sides.count(True)


def _column(path: Path, column: str) -> list[str]:
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        return [row[column] for row in rows if row[column].strip()]
    except OSError as error:
        sys.exit(f"{path} cannot be read ({error.strerror}). Give a file that is there.")
    except (ValueError, KeyError, TypeError, AttributeError):
        sys.exit(
            f"{path} is no .jsonl with a text in column `{column}` of every line. Correct it, or give another file."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="The folder to write to.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--mirror", type=Path, help="Mirror of hub data sets (`minizoo data pull`) that has WikiText-2."
    )
    source.add_argument("--own", type=Path, help="Text of your own: .jsonl, a document a line in column `text`.")
    asked = parser.parse_args()
    if asked.own is None:
        pages = _column(asked.mirror / WIKITEXT, "page")
        trained, held = write(pages, [detokenized({"page": page}) for page in pages], asked.out)
    else:
        texts = _column(asked.own, "text")
        trained, held = write(texts, texts, asked.out)
        copy = asked.out / "mirror" / OWN
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("".join(json.dumps({"page": text}) + "\n" for text in texts), encoding="utf-8")
    print(f"{trained} documents to train on in {asked.out / 'train.jsonl'}, {held} held out")


if __name__ == "__main__":
    main()
