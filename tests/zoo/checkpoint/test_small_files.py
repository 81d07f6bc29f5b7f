"""The small files of a model: the ones that transformers reads, counted in the tokenizer's digest and copied by prune."""

import json
import re
import shutil
from pathlib import Path

import pytest
import transformers
from support.tiny_checkpoints import tiny
from transformers import AutoTokenizer
from transformers.utils import hub

from zoo.checkpoint.digests import digest_of
from zoo.checkpoint.fetch import small_names
from zoo.checkpoint.locate import open_folder
from zoo.checkpoint.small_files import small_files, tokenizer_files
from zoo.prune.parent import open_parent
from zoo.prune.selection import keep_layers
from zoo.prune.write.writer import write_child, write_virtual

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
TOOLS = "additional_chat_templates/tool_use.jinja"
OTHERS = [
    "README.md",
    "model.safetensors",
    "training_args.bin",
    "modeling_x.py",
    "tokenizer/merges.txt",
    "original/vocab.json",
]


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(TEMPLATE if name.endswith(".jinja") else name)
    return folder


def names_of(files, folder):
    return [path.relative_to(folder).as_posix() for path in files]


def files_that_tokenizers_read():
    """Every name of a vocabulary in the sources of the installed transformers, and of its templates."""
    found = {hub.CHAT_TEMPLATE_FILE, hub.LEGACY_PROCESSOR_CHAT_TEMPLATE_FILE, f"{hub.CHAT_TEMPLATE_DIR}/x.jinja"}
    for path in Path(transformers.__file__).parent.rglob("tokenization_*.py"):
        for table in re.findall(r"^VOCAB_FILES_NAMES = \{(.*?)\}", path.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            found |= set(re.findall(r':\s*"([^"]+)"', table))
    return sorted(found)


def test_every_file_that_a_tokenizer_of_transformers_reads_is_fetched_copied_and_counted(tmp_path):
    read = files_that_tokenizers_read()
    assert len(read) > 25
    fill(tmp_path, *read)
    assert set(names_of(tokenizer_files(tmp_path), tmp_path)) == set(read)
    assert small_names(read) == read


def test_no_other_file_counts_and_names_of_a_pattern_stay_in_their_folder(tmp_path):
    fill(tmp_path, "generation_config.json", "qwen.tiktoken", "own.model", "tokenizer.model.v3", TOOLS, *OTHERS)
    own = [TOOLS, "own.model", "qwen.tiktoken", "tokenizer.model.v3"]
    assert names_of(tokenizer_files(tmp_path), tmp_path) == own
    assert names_of(small_files(tmp_path), tmp_path) == [*own, "generation_config.json"]


def test_the_tokenizers_digest_of_a_folder_whose_files_were_all_counted_is_that_of_086f72e(stories, tmp_path):
    """Both values were computed by that commit, which counted four files in this order."""
    assert open_folder(stories).tokenizer_digest() == "8549424bff2a8d170f72c38a0fe87c588b28bbb7f28f7e0903055e85f28d60f6"
    fill(tmp_path, "tokenizer.model", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", *OTHERS)
    golden = "cf57cf206d51181da5b9321a95eda39c7e0549595f38a3c3153c7f77ec3fc689"
    assert digest_of(tokenizer_files(tmp_path), tmp_path) == golden
    fill(tmp_path, "generation_config.json")
    assert digest_of(tokenizer_files(tmp_path), tmp_path) == golden


@pytest.mark.parametrize(
    "name", ["chat_template.jinja", "chat_template.json", TOOLS, "vocab.json", "added_tokens.json"]
)
def test_a_tokenizer_of_another_template_or_vocabulary_has_another_digest(name, tmp_path):
    fill(tmp_path, "tokenizer.json", name)
    digests = [digest_of(tokenizer_files(tmp_path), tmp_path)]
    (tmp_path / name).write_text("another")
    digests.append(digest_of(tokenizer_files(tmp_path), tmp_path))
    (tmp_path / name).unlink()
    digests.append(digest_of(tokenizer_files(tmp_path), tmp_path))
    assert len(set(digests)) == 3


@pytest.mark.parametrize("virtual", [False, True])
def test_a_child_has_the_small_files_of_its_parent(virtual, tmp_path):
    folder = tiny("llama", tmp_path / "parent")
    names = [
        "added_tokens.json",
        "chat_template.jinja",
        TOOLS,
        "merges.txt",
        "tekken.json",
        "tokenizer.json",
        "vocab.json",
    ]
    fill(folder, *names, "training_args.bin", "original/tokenizer.model", "tokenizer/x.json")
    parent = open_parent(folder)
    plan = keep_layers(parent.identity, [0, 1])
    (write_virtual if virtual else write_child)(plan, parent, tmp_path / "child")
    copied = [
        path.relative_to(tmp_path / "child").as_posix() for path in (tmp_path / "child").rglob("*") if path.is_file()
    ]
    own = {"README.md", "config.json", "minizoo.json", "plan.json", *([] if virtual else ["model.safetensors"])}
    assert set(copied) - own == {*names, "generation_config.json"}
    for name in names:
        assert (tmp_path / "child" / name).read_bytes() == (folder / name).read_bytes()


def test_the_child_of_an_instruct_model_is_one_too(stories, minizoo, tmp_path):
    """As transformers 4.51 and later save it: the templates in files of their own."""
    folder = shutil.copytree(stories, tmp_path / "parent")
    folder.chmod(0o755)
    fill(folder, "chat_template.jinja", TOOLS)
    (folder / "added_tokens.json").write_text("{}")
    ran = minizoo("prune", "--parent", folder, "--target", "drop=3", "--out", tmp_path / "child")
    assert ran.code == 0
    templates = [AutoTokenizer.from_pretrained(tmp_path / name).chat_template for name in ("parent", "child")]
    assert templates[0] == templates[1] == {"default": TEMPLATE, "tool_use": TEMPLATE}
    words = ("--suite", "instruct", "--data", tmp_path, "--dry-run", "--no-probe", "--json")
    answers = [minizoo("eval", "--model", tmp_path / name, *words).json() for name in ("parent", "child")]
    assert "the chat template" not in json.dumps(answers[1]["missing"])
    assert [row["requests"] for row in answers[0]["tasks"]] == [row["requests"] for row in answers[1]["tasks"]]
