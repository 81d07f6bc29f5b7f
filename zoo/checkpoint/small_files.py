"""The small files that go with a model's weights: one table for what is fetched, copied and counted in the tokenizer's digest.

Names are those that transformers' tokenizers read (a test compares them with the installed one's); a pattern stands for
names inside one folder and never reaches into another.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

COUNTED_FIRST = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model")
"""Of a tokenizer, in the order in which its digest has them; all others follow by name."""
VOCABULARIES = (
    "tokenizer*.json", "tokenizer.model*", "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt",
    "vocab-src.json", "vocab-tgt.json", "merges.txt", "spiece.model", "spm.model", "spm_char.model", "sentencepiece.model",
    "sentencepiece.bpe.model", "tiktoken.model", "tekken.json", "source.spm", "target.spm", "target_vocab.json", "dict.txt",
    "bpe.codes", "emoji.json", "entity_vocab.json", "normalizer.json", "byte_maps.json", "prophetnet.tokenizer",
    "word_shape.json", "word_pronunciation.json",
)  # fmt: skip
"""Vocabularies, merges and added tokens by their usual names."""
OTHER_VOCABULARIES = ("*.model", "*.tiktoken")
"""Vocabularies under names of their own, at the top of a repository."""
TEMPLATES = ("chat_template.jinja", "chat_template.json")
"""Chat templates apart from tokenizer_config.json, where a key may hold one too."""
MORE_TEMPLATES = ("additional_chat_templates/*.jinja", "chat_templates/*.jinja")
GENERATION = ("generation_config.json",)
"""Goes with a model and is no part of its tokenizer."""
TOKENIZER = (*VOCABULARIES, *OTHER_VOCABULARIES, *TEMPLATES, *MORE_TEMPLATES)


def tokenizer_files(folder: Path) -> list[Path]:
    """The tokenizer's files that the folder has, in the order of its digest."""
    first = [path for name in COUNTED_FIRST if (path := folder / name).is_file()]
    return [*first, *(path for path in _found(folder, TOKENIZER) if path not in first)]


def small_files(folder: Path) -> list[Path]:
    """Every small file that goes with the folder's weights but config.json."""
    return [*tokenizer_files(folder), *_found(folder, GENERATION)]


def _found(folder: Path, patterns: Iterable[str]) -> list[Path]:
    there = [path for depth in ("*", "*/*.jinja") for path in folder.glob(depth) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in there}
    return [names[name] for name in sorted(names) if any(_matches(name, pattern) for pattern in patterns)]


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)
