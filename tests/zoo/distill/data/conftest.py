"""A tokenizer of characters, and files of text."""

import json

import pytest

from zoo.distill.data.tokenizing import TextTokenizer

BOS, EOS = 0, 1


@pytest.fixture
def tokenizer():
    """A token a byte; BOS is 0, EOS 1."""
    return TextTokenizer(
        lambda texts: [list(text.encode()) for text in texts], vocabulary=256, digest="bytes", bos=BOS, eos=EOS
    )


@pytest.fixture
def jsonl(tmp_path):
    """A function that writes rows as lines of JSON."""

    def write(name, rows):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write
