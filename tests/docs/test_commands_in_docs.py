"""Every `minizoo …` line that the documents print is one that the real command line reads."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.commands import every_command
from support.paths import ROOT

from minizoo.cli import COMMANDS
from minizoo.cli import minizoo as group
from zoo.errors import InputError

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "examples").glob("*"),
    *(ROOT / ".github").rglob("*.yml"),
]
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^\s*(?:- run: |run: |# |\$ |\.venv/bin/)*minizoo +(.*)$", re.MULTILINE)
INLINE = re.compile(r"`(?:\.venv/bin/)?minizoo +([^`]+)`")
NOT_WORDS = re.compile(r"…|\[.*\]|\.\.\.")
"""In prose a command may be cut short: `minizoo eval …`."""


def commands_of(path: Path) -> Iterator[str]:
    """The words after `minizoo` of each command of a page, comments and redirections taken off."""
    text = path.read_text("utf-8").replace("\\\n", " ")
    if path.suffix == ".md":
        blocks = FENCE.findall(text)
        prose = [words.replace("\n", " ") for words in INLINE.findall(FENCE.sub("", text))]
    else:
        blocks, prose = [text], []
    for line in [*(line for block in blocks for line in LINE.findall(block)), *prose]:
        if line.startswith("→"):  # the order of the rooms
            continue
        yield re.sub(r"\s+(?:[|>&].*|#.*)$", "", NOT_WORDS.sub("", line)).strip()


FOUND = sorted(
    {(path.relative_to(ROOT).as_posix(), words) for path in PAGES if path.is_file() for words in commands_of(path)}
)


def parse(words: list[str]) -> None:
    """Let click read the words down to the last sub-command, running nothing; raises where it cannot."""
    context = group.make_context("minizoo", list(words), resilient_parsing=False)
    rest = [*context._protected_args, *context.args]
    command: click.Command = group
    while isinstance(command, click.Group) and rest:
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = command.make_context(str(found.name), rest, parent=context)
        rest = [*context._protected_args, *context.args]


def filled_in(words: list[str], folder: Path) -> list[str]:
    """The words with a stand-in for each folder and file that must exist and each number that stands as N."""
    folder.mkdir(exist_ok=True)
    file = folder / "file"
    file.touch()
    must_exist = {"--data": str(folder), "--night": str(folder), "--jobs": str(file)}
    stand_ins = {"N": "1"}
    return [
        must_exist.get(before) or stand_ins.get(word, word) for before, word in zip(["", *words], words, strict=False)
    ]


@pytest.mark.parametrize(("page", "words"), FOUND)
def test_every_command_line_of_the_documents_is_understood(page, words, tmp_path):
    parts = filled_in(shlex.split(words), tmp_path / "folder")
    if parts[0] == "COMMAND":
        return
    name = " ".join(parts[:2]) if " ".join(parts[:2]) in every_command() else (parts or [""])[0]
    if name in every_command() and len(parts) == len(name.split()):
        return  # a command named in passing
    try:
        parse(parts)
    except click.exceptions.Exit:  # --help and --version
        pass
    except click.MissingParameter:
        assert f"`minizoo {words}" in (ROOT / page).read_text("utf-8").replace("\n", " "), (
            "a command to type lacks a parameter"
        )


def test_the_documents_hold_commands():
    assert len(FOUND) > 40
    assert {words.split()[0] for _, words in FOUND if words} >= set(COMMANDS)


@pytest.mark.parametrize("words", ["eval --modle x", "evl", "show", "db pth", "bench --model x --batch"])
def test_a_wrong_line_is_seen(words):
    with pytest.raises((click.UsageError, InputError)):
        parse(shlex.split(words))
