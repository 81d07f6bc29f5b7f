"""Text is cut by tokenizer.json, whatever class is named beside it, and a class with other rules is told."""

import json
import shutil

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from backends.tokenizer import HfTokenizer
from backends.tokenizer_rules import PROBES
from zoo.checkpoint.model_ref import resolve
from zoo.errors import TokenizerUnreadable

TEXT = "Question: 1234 plus 56789?\nAnswer: 58023"
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTES])
LEGACY = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def byte_level(pre_tokenizer, normalizer=None, special=("<|endoftext|>",)) -> Tokenizer:
    """A byte-level BPE that has merged digits, spaces and words before `pre_tokenizer` was put in."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = BYTES, decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=list(special), initial_alphabet=alphabet)
    made.train_from_iterator([f"1234 5678 58023 {text}" for text in PROBES] * 3, trainer)
    made.pre_tokenizer = pre_tokenizer
    if normalizer:
        made.normalizer = normalizer
    return made


def sentencepiece_like() -> Tokenizer:
    """As a Llama 2's: no pre-tokenizer, a normalizer that puts ▁ for spaces and before every text."""
    letters = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", "▁", *"leadingbo"])}
    letters |= {f"<0x{i:02X}>": len(letters) + i for i in range(256)}
    made = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = LEGACY
    made.add_special_tokens(["<unk>", "<s>", "</s>"])
    return made


@pytest.fixture
def folder(tmp_path):
    """Write a tokenizer's files into a folder."""

    def write(tokenizer, tokenizer_class=None, **config):
        named = {"tokenizer_class": tokenizer_class} if tokenizer_class else {}
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(named | config))
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
        return tmp_path

    return write


def by_file(folder, texts):
    file = Tokenizer.from_file(str(folder / "tokenizer.json"))
    file.no_truncation()
    file.no_padding()
    return [encoding.ids for encoding in file.encode_batch(list(texts), add_special_tokens=False)]


OVERRIDDEN = {
    "digits": (lambda: byte_level(DIGITS), "GPT2Tokenizer"),
    "digits, fast": (lambda: byte_level(DIGITS), "GPT2TokenizerFast"),
    "words": (lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), BYTES])), "GPT2Tokenizer"),
    "first space": (lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)), "GPT2Tokenizer"),
    "lower case": (lambda: byte_level(BYTES, normalizers.Lowercase()), "GPT2Tokenizer"),
    "no NFC": (lambda: byte_level(BYTES), "GPTNeoXTokenizer"),
    "merged digits": (lambda: byte_level(BYTES), "Qwen2Tokenizer"),
    "leading spaces": (sentencepiece_like, "LlamaTokenizer"),
    "no such vocabulary": (lambda: byte_level(BYTES), "BertTokenizer"),
}


@pytest.mark.parametrize("case", OVERRIDDEN)
def test_a_class_with_rules_of_its_own_is_told_and_the_files_rules_are_used(folder, case):
    make, named = OVERRIDDEN[case]
    path = folder(make(), named)
    ours = HfTokenizer(path)
    assert ours.encode([TEXT, *PROBES], False) == by_file(path, [TEXT, *PROBES])
    name = named.removesuffix("Fast")
    assert ours.rules == f"the rules of tokenizer.json, not {name}'s"
    assert name in ours.note
    assert ours.note.startswith("Warning: ")


def test_the_note_shows_a_probe_and_both_cuts(folder):
    note = HfTokenizer(folder(byte_level(DIGITS), "GPT2Tokenizer")).note
    assert "'1234' is 1234 by the class and 1|2|3|4 by the file" in note


ALIKE = {
    "no class": (lambda: byte_level(DIGITS), None, {}),
    "the file's own class": (lambda: byte_level(DIGITS), "PreTrainedTokenizerFast", {}),
    "an unknown class": (lambda: byte_level(DIGITS), "NobodysTokenizer", {}),
    "a class of the same rules": (lambda: byte_level(BYTES), "GPT2Tokenizer", {}),
    "NFC": (lambda: byte_level(BYTES, normalizers.NFC(), ("<|endoftext|>", "<|padding|>")), "GPTNeoXTokenizer", {}),
    "a special token of the class's alone": (lambda: byte_level(BYTES, normalizers.NFC()), "GPTNeoXTokenizer", {}),
    "a special token more": (lambda: byte_level(BYTES), "GPT2Tokenizer", {"pad_token": "[PAD]"}),
    "tokens of the config": (
        lambda: byte_level(BYTES),
        "GPT2Tokenizer",
        {"added_tokens_decoder": {"400": {"content": "[INST]", "special": True, "normalized": False, "lstrip": False,
                                          "rstrip": False, "single_word": False}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_a_tokenizer_of_one_set_of_rules_raises_no_alarm(folder, case):
    make, named, config = ALIKE[case]
    path = folder(make(), named, **config)
    ours = HfTokenizer(path)
    assert (ours.rules, ours.note) == (None, None)
    assert ours.encode([TEXT], False) == by_file(path, [TEXT])


def test_truncation_and_padding_in_the_file_are_no_rules_of_cutting(folder):
    file = byte_level(BYTES)
    file.enable_truncation(4)
    file.enable_padding(length=4, pad_token="<|endoftext|>")
    path = folder(file, "GPT2Tokenizer")
    ours = HfTokenizer(path)
    assert ours.rules is None
    assert ours.encode([TEXT], False) == by_file(path, [TEXT])


def test_shipped_and_stored_tokenizers_raise_no_alarm(stories, assets, folder):
    gpt2 = folder(Tokenizer.from_file(str(assets / "tokenizers/gpt2/tokenizer.json")), "GPT2Tokenizer")
    for path in (stories, gpt2, resolve("nano-teacher").folder):
        assert HfTokenizer(path).rules is None


def test_special_tokens_and_template_stay_where_the_files_rules_are_used(folder):
    template = "{{ messages[0]['content'] }}"
    ours = HfTokenizer(folder(byte_level(DIGITS), "GPT2Tokenizer", chat_template=template))
    assert ours.rules
    assert ours.bos_id == ours.eos_id == 0  # GPT2Tokenizer names <|endoftext|> by itself
    assert ours.encode(["1"]) == ours.encode(["1"], False)
    assert ours.chat_template == template
    assert ours.decode(ours.encode([TEXT], False)[0]) == TEXT


def test_the_files_post_processor_stays_where_the_config_says_nothing_of_bos(folder):
    file = byte_level(DIGITS, special=("<s>", "<|endoftext|>"))
    file.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    ours = HfTokenizer(folder(file, "GPT2Tokenizer", bos_token="<s>"))
    assert ours.rules
    assert ours.encode(["1"])[0] == [0, *ours.encode(["1"], False)[0]]
    assert ours.bos_id == 0


def test_a_class_that_decides_of_bos_by_itself_still_does_where_the_files_rules_are_used(folder):
    file = byte_level(BYTES)
    file.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    ours = HfTokenizer(folder(file, "GPTNeoXTokenizer"))  # transformers 4 and 5: none, whatever the file says
    assert ours.rules
    assert ours.encode(["1"]) == ours.encode(["1"], False)


def test_a_token_that_only_the_class_names_is_not_added_to_the_vocabulary(folder):
    file = byte_level(DIGITS, special=("<s>",))
    ours = HfTokenizer(folder(file, "GPT2Tokenizer"))
    assert ours.vocab_size == file.get_vocab_size()
    assert ours.bos_id is None


def test_tokens_of_the_config_are_kept_where_the_files_rules_are_used(folder):
    file = byte_level(DIGITS)
    size = file.get_vocab_size()
    ours = HfTokenizer(folder(file, "GPT2Tokenizer", eos_token="<|im_end|>"))
    assert ours.rules
    assert (ours.eos_id, ours.vocab_size) == (size, size + 1)
    file.add_special_tokens([AddedToken("<|im_end|>")])
    assert ours.encode(["a<|im_end|>1234"], False)[0] == file.encode("a<|im_end|>1234", add_special_tokens=False).ids


def test_a_file_that_the_tokenizers_library_cannot_read_is_refused_in_words(folder):
    path = folder(byte_level(DIGITS), "GPT2Tokenizer")
    content = json.loads((path / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "FromTheFuture"}
    (path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(TokenizerUnreadable):
        HfTokenizer(path)


def test_an_exception_without_a_message_is_told_by_its_name(folder, monkeypatch):
    from transformers import AutoTokenizer

    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(TokenizerUnreadable, match="AssertionError"):
        HfTokenizer(folder(byte_level(BYTES)))


def test_an_evaluation_tells_the_class_records_it_and_scores_as_the_file_says(minizoo, tmp_path):
    plain = resolve("nano-teacher").folder
    overridden = shutil.copytree(plain, tmp_path / "model")
    config = json.loads((plain / "tokenizer_config.json").read_text())
    (overridden / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "GPT2Tokenizer"}))
    words = ["--tasks", "nano_words", "--limit", 3, "--device", "cpu", "--results", tmp_path / "results", "--json"]
    told, right = minizoo("eval", overridden, *words), minizoo("eval", plain, *words)
    assert (told.code, right.code) == (0, 0)
    assert "GPT2Tokenizer" in told.err
    assert "Warning" not in right.err
    (ours,), (theirs,) = told.json()["records"], right.json()["records"]
    assert ours["setting"]["versions"]["tokenizer"] == "the rules of tokenizer.json, not GPT2Tokenizer's"
    assert "tokenizer" not in theirs["setting"]["versions"]
    assert [s["value"] for s in ours["scores"]] == [s["value"] for s in theirs["scores"]]
    dry = minizoo("eval", overridden, "--tasks", "nano_words", "--limit", 3, "--dry-run", "--no-probe", "--json")
    assert "GPT2Tokenizer" in dry.err
