"""Whose rules cut the text: those of tokenizer.json, which the model was trained with, or those of the class that is named.

transformers 5 builds a named class (GPT2Tokenizer, LlamaTokenizer …) with rules that stand in its code and takes from
tokenizer.json the vocabulary alone; transformers 4 took the file's rules. Both are asked to cut the same probe texts here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import TokenizerUnreadable, one_line

PROBES = (
    "1234", "x86-64 in 2026, 3.14159 or 1,000,000", "１２ x² ½ ② Ⅷ", " leading", "trailing ", "two  spaces   three",
    "Question: 1234 plus 56789?\nAnswer: 58023", "a\n\nb\r\n\nc \n d\n", "\tif x:\n\t\treturn\t1", "café naïve Ünder ß",
    "cafe\u0301", "HELLO World iPhone camelCase snake_case", "I'll can't WE'VE o'clock it’s", "漢字かな 한국어 中文。",
    "Привет, мир! שלום مرحبا नमस्ते สวัสดี", "👍🏽 👩‍👩‍👧 🇩🇪", "for (int i=0; i<n; ++i) { a[i] += b->c; }", "...!!! ---- ==== ###",
    "https://a.b/c?d=1&e=%20#f", "a\u00a0b\u200bc\u3000d", "ﬁ ≤ ∑ … “quoted” – dash", "▁low ▁ line Ġ", "<s>a</s> b",
    "<unk> <pad>", "<|endoftext|>a <|im_start|>user\nb", "[INST] a [/INST] [MASK]",
)  # fmt: skip
"""Digits, spaces, line breaks, tabs, accents, capitals, contractions, scripts, emoji, code, marks, and what looks like a
special token."""
SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
SHOWN = 60
"""Characters of a cut that a message shows."""


@dataclass(frozen=True)
class Disagreement:
    """A class whose rules are not those of tokenizer.json."""

    class_name: str
    text: str
    """The shortest probe that the two cut differently."""
    by_class: str
    by_file: str
    differ: int
    """Of `probes` texts."""
    probes: int

    @property
    def rules(self) -> str:
        """What a record says of the tokenizer."""
        return f"the rules of tokenizer.json, not {self.class_name}'s"

    @property
    def note(self) -> str:
        """What the user is told at every run."""
        return (
            f"Warning: transformers puts the rules of {self.class_name}, the class that this tokenizer is given, in place of "
            f"those in tokenizer.json, and the two disagree on {self.differ} of {self.probes} probe texts: {self.text!r} is "
            f"{self.by_class} by the class and {self.by_file} by the file. Text is cut by tokenizer.json, as in training; the "
            "record says so."
        )


def by_file(loaded: Any, folder: Path) -> tuple[Any, Disagreement | None]:
    """The tokenizer that cuts as the folder's tokenizer.json does, and how the one that transformers loaded disagrees.

    `loaded` itself where the two agree on every probe, or where there is no tokenizer.json. Which special tokens stand around
    a text stays as `loaded` has it. TokenizerUnreadable where the file cannot be read.
    """
    from transformers import PreTrainedTokenizerFast

    path = folder / "tokenizer.json"
    if type(loaded) is PreTrainedTokenizerFast or not path.is_file():  # this class is the file's rules and nothing else
        return loaded, None
    stamp = path.stat()
    special = tuple(map(str, loaded.all_special_tokens))
    probes, ids = _cut_by_file(path, (stamp.st_mtime_ns, stamp.st_size), special)
    cut = _cut(loaded, probes)
    if cut == ids:
        return loaded, None
    file = _read(path)
    # The file's rules with the special tokens, the template and the added tokens that the folder's other files name.
    plain: Any = PreTrainedTokenizerFast
    kept = plain.from_pretrained(folder, local_files_only=True, **_defaults(loaded, file, folder))
    right = _cut(kept, probes)
    if cut == right:
        return loaded, None
    added, rust = _cut(loaded, [""], None), getattr(loaded, "backend_tokenizer", None)
    if rust and added and added != _cut(kept, [""], None) and max(added[0], default=0) < file.get_vocab_size():
        kept.backend_tokenizer.post_processor = rust.post_processor
    return kept, _disagreement(loaded, kept, probes, cut, right)


@functools.lru_cache(maxsize=4)  # a run opens a tokenizer twice: for its prompts, and for its backend
def _cut_by_file(path: Path, _stamp: tuple[int, int], special: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """The probes, with those special tokens that the file has, and their token ids by tokenizer.json alone."""
    file = _read(path)
    probes = [*PROBES, *(f"a{token} b" for token in dict.fromkeys(special) if file.token_to_id(token) is not None)]
    return probes, [encoding.ids for encoding in file.encode_batch(probes, add_special_tokens=False)]


def _read(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        file = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises bare Exception
        raise TokenizerUnreadable(
            f"{path} cannot be read by the tokenizers library ({one_line(error)[:160]}).",
            "Fetch it again, or update `tokenizers`.",
        ) from None
    file.no_truncation()
    file.no_padding()
    return file


def _cut(tokenizer: Any, texts: Sequence[str], special: bool | None = False) -> list[list[int]] | None:
    """Token ids of each text; None where the tokenizer raises, as a class does that does not go with the vocabulary."""
    options = {} if special is None else {"add_special_tokens": special}
    try:
        return tokenizer(list(texts), return_attention_mask=False, verbose=False, **options)["input_ids"]
    except Exception:  # whatever the class or the Rust side raises
        return None


def _defaults(loaded: Any, file: Any, folder: Path) -> dict[str, str]:
    """Special tokens that the class names by itself, where the vocabulary of tokenizer.json has them."""
    path = folder / "tokenizer_config.json"
    stated = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    tokens = {name: getattr(loaded, name, None) for name in SPECIAL if name not in stated}
    return {name: str(token) for name, token in tokens.items() if token and file.token_to_id(str(token)) is not None}


def _disagreement(
    loaded: Any, kept: Any, probes: Sequence[str], cut: list[list[int]] | None, right: list[list[int]] | None
) -> Disagreement:
    name = type(loaded).__name__
    if cut is None or right is None:
        return Disagreement(
            name, probes[0], "refused", _shown(kept, right[0] if right else []), len(probes), len(probes)
        )
    unlike = [i for i, (one, other) in enumerate(zip(cut, right, strict=True)) if one != other]
    first = min(unlike, key=lambda i: len(probes[i]))
    told = _shown(loaded, cut[first]), _shown(kept, right[first])
    if told[0] == told[1]:
        told = str(cut[first])[:SHOWN], str(right[first])[:SHOWN]
    return Disagreement(name, probes[first], *told, len(unlike), len(probes))


def _shown(tokenizer: Any, ids: Sequence[int]) -> str:
    text = "|".join(map(str, tokenizer.convert_ids_to_tokens(list(ids))))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
