"""A tokenizer of bytes, and a file of documents."""

import json

import pytest

from zoo.distill.data.tokenizing import TextTokenizer


@pytest.fixture
def tokenizer():
    """A token a byte; BOS is 0, EOS 1."""
    return TextTokenizer(
        lambda texts: [list(text.encode()) for text in texts], vocabulary=256, digest="bytes", bos=0, eos=1
    )


@pytest.fixture
def documents(tmp_path):
    """Write documents as lines of JSON; returns the path as a word."""

    def write(texts, name="text.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        return str(path)

    return write
