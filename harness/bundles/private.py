"""What a record says of the machine and its user, taken out before it is given away.

Every text of a record is free text unless CONTROLLED names it, so a field that is added later is not forgotten here. In free
texts a path becomes its last part, and a name of the host (with its domain) or of a user becomes `withheld`, in any case of
letters; a name is one where it stands between signs that are neither letters nor digits.

Two kinds of name are treated apart. One of one or two letters (`al`, `hf`) would shred every sentence, and identifies nobody in
one: it is withheld only where it is the last part of a path. And a word that minizoo itself writes (VOCABULARY, the registry's
names) tells nothing of whoever is called so: it stays. The ids of models on the hub are public names and stay as well.
"""

from __future__ import annotations

import functools
import getpass
import os
import platform
import re
import shlex
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.records.record import WITHHELD, Record
from zoo.errors import InternalError
from zoo.registry.loader import load_registry

SHORTEST = 3
"""Letters of a name that is looked for in a sentence."""
CONTROLLED = frozenset(
    {
        "schema_version", "run_id", "task", "status", "code", "suite", "task_version", "task_digest", "overflow", "members",
        "chat_template", "started_at", "finished_at", "run_started_at", "source", "resolved_suite.name",
        "resolved_suite.batches", "subject.revision", "subject.weights_digest", "subject.tokenizer_digest", "subject.kind",
        "subject.renamed_to", "subject.converted_from", "subject.distilled.student.digest",
        "subject.distilled.teacher.digest", "subject.distilled.trained_on", "setting.backend", "setting.device",
        "setting.dtype", "setting.compute_dtype", "setting.gpu", "setting.driver", "setting.processor",
        "setting.git_sha", "speed.workload", "speed.point", "speed.weights", "speed.validity.reasons.code",
        "speed.validity.notes.code",
        "speed.statistics.metric", "speed.statistics.statistic", "speed.achieved.step", "speed.achieved.against",
        "speed.achieved.bound_by", "speed.machine.product", "speed.machine.driver", "speed.machine.capability",
        "speed.comparisons.against_run_id", "speed.comparisons.mode", "speed.comparisons.metric", "beside.weights",
        "beside.reference", "resolved_suite.tasks.task", "resolved_suite.tasks.metric", "resolved_suite.tasks.filter",
        "resolved_suite.tasks.overflow", "scores.metric", "scores.filter", "scores.statistics.kind",
        "scores.statistics.function", "scores.statistics.statistics.kind", "scores.statistics.strata.statistics.kind",
        "scores.statistics.strata.statistics.function", "scores.statistics.strata.statistics.statistics.kind",
    }
)  # fmt: skip
"""Texts that minizoo or the maker of a device chose, by dotted name: never touched."""
PUBLIC_SUBTREE = "subject.entry"
"""The registry's own entry."""
PUBLIC_ID = frozenset({"subject.id", "subject.source"})
"""Of a model of the registry or the hub; of a folder they are its name and its path."""
VOCABULARY = frozenset(
    {
        "minizoo", "python", "linux", "cpu", "cuda", "gpu", "nvidia", "hf", "pruned", "random", "lm-eval", "hflm",
        "torch", "transformers", "tokenizers", "datasets", "numpy", "float32", "bfloat16", "float16", "fp32", "bf16",
        "fp16", "bench", "eval", "import", "model", "models", "weights", "real", "workload", "batch1", "chat",
        "offline", "rag", "generate", "batch", "trials", "seconds", "results", "device", "dtype", "localhost",
        "x86_64", "aarch64", "withheld", "unknown",
    }
)  # fmt: skip
"""Words that minizoo writes itself, in lower case."""

END = r"[^\s'\"`<>|;,(){}\[\]]"
PATH = re.compile(
    rf"""(?:\bfile:/+ | (?<![\w./~)\\-])(?:(?<!\w:)/+ | (?<=:)/(?!/)) | ~[\w.-]*/ | \b[A-Za-z]:[\\/] | \\\\)
        {END}+ (?:[ ](?!\w+:)[^\s/~]+/{END}*)*""",
    re.VERBOSE,
)
"""An absolute path in a sentence, with the parts after a space in it; of addresses (https://…) nothing is one."""
QUOTED = re.compile(r"(['\"`])((?:file:/+|/|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\)[^'\"`\n]+)\1")
ARGUMENT = re.compile(r"(?P<option>--?[\w-]+=|-\w)?(?P<path>(?:file:/+|/|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\).+)", re.DOTALL)
"""An argument of a command, whole: it may have spaces."""
DEVICE_ID = re.compile(r"\b(?:GPU|MIG)-(?:GPU-)?[0-9a-f]{8}-[0-9a-f-]{8,}(?:/\d+)*", re.IGNORECASE)
"""What NVML and CUDA call one device of all that were ever made."""


@dataclass(frozen=True)
class Private:
    """Names that must not leave the machine, and how they are taken out of texts and records."""

    hosts: frozenset[str]
    users: frozenset[str]
    homes: frozenset[str] = frozenset()
    """Folders of the users, also where they stand inside a word: `-I/home/al/include`."""

    def record(self, record: Record) -> Record:
        """The record with nothing of the machine or its user in it."""
        known = self.with_host(record.setting.host)
        document = known._walked(record.model_dump(mode="json"), _controlled_in(record))
        document["setting"]["host"] = WITHHELD
        return Record.model_validate(document)

    def text(self, text: str) -> str:
        """A sentence without paths and names. What has none is returned as it is, and the result has none."""
        for _ in range(5):
            before, text = text, self._once(text)
            if text == before:
                return text
        return WITHHELD

    def command(self, command: str) -> str:
        """A command line likewise, its arguments taken one by one: a path in quotes may have spaces."""
        try:
            words = shlex.split(command)
        except ValueError:
            return self.text(command)
        return self.text(shlex.join(self._argument(word) for word in words))

    def free_texts(self, record: Record) -> Iterator[str]:
        """Every text of a record that is not of CONTROLLED."""
        found: list[str] = []

        def kept(_: str, text: str) -> str:
            found.append(text)
            return text

        _each_text(record.model_dump(mode="json"), _controlled_in(record), kept)
        yield from found

    def check(self, texts: Iterable[str]) -> None:
        """InternalError where a path or a name is still in one of these texts: better no bundle than one that tells."""
        if any(self._once(text) != text for text in texts):
            raise InternalError(
                "A name or a path of this machine would be in the bundle, so it was not written.",
                "The rows themselves are kept. Please report it, without the name.",
            )

    def with_host(self, host: str) -> Private:
        """These names and another host's: records may have been made on one of several that share a folder."""
        return self if host.casefold() in VOCABULARY else replace(self, hosts=self.hosts | {host})

    def _walked(self, document: dict[str, Any], controlled: frozenset[str]) -> dict[str, Any]:
        def taken_out(name: str, text: str) -> str:
            return self.command(text) if name == "setting.command" else self.text(text)

        return _each_text(document, controlled, taken_out)

    def _once(self, text: str) -> str:
        for home in sorted(self.homes, key=len, reverse=True):
            text = re.sub(rf"{re.escape(home)}(/{END}*)?(?![\w-])", lambda found: self._last(found[0]), text)
        text = QUOTED.sub(lambda found: f"{found[1]}{self._last(found[2])}{found[1]}", text)
        text = PATH.sub(lambda found: self._last(found[0]), text)
        text = DEVICE_ID.sub(WITHHELD, text)
        return self._names.sub(lambda found: found[0] if found[0].casefold() in _public() else WITHHELD, text)

    def _argument(self, word: str) -> str:
        found = ARGUMENT.fullmatch(word)
        if found is None:
            return self.text(word)
        return self.text(f"{found['option'] or ''}{self._last(found['path'])}")

    def _last(self, path: str) -> str:
        """The last part of a path; a name of any length is withheld there."""
        last = re.split(r"[/\\]+", path.rstrip("/\\ "))[-1]
        if not last or last.casefold() in {name.casefold() for name in self.hosts | self.users}:
            return WITHHELD
        return last

    @functools.cached_property
    def _names(self) -> re.Pattern[str]:
        """What does not stay, and the public names that have it in them, which do; of two at one place the longer one."""
        hosts = {host: rf"{re.escape(host)}(?:\.[\w-]+)*" for host in _looked_for(_with_domains(self.hosts))}
        users = {user: re.escape(user) for user in _looked_for(self.users)}
        private = {name: rf"(?<![^\W_]){pattern}(?![^\W_])" for name, pattern in {**users, **hosts}.items()}
        around = [name for name in _public() if any(inside.casefold() in name for inside in private)]
        each = {**{name: rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in around}, **private}
        listed = "|".join(each[name] for name in sorted(each, key=lambda name: (-len(name), name)))
        return re.compile(listed or r"(?!)", re.IGNORECASE)


def withheld(record: Record) -> Record:
    """The record with nothing of this machine, of the one that measured it, or of their user in it."""
    return this_machine().record(record)


def check_private(texts: Iterable[str]) -> None:
    """InternalError where a name or a path of this machine is in one of these texts."""
    this_machine().check(texts)


def this_machine() -> Private:
    """The names of this host, without its domain's server being asked, and of whoever runs this."""
    hosts = {platform.node(), socket.gethostname(), os.environ.get("HOSTNAME", "")}
    users = {os.environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER")} | {_told(getpass.getuser)}
    homes = {os.environ.get("HOME", ""), _told(lambda: str(Path.home())), _told(_home_of_account)}
    return Private(
        frozenset(filter(None, hosts)),
        frozenset(filter(None, users | {_told(_account)})),
        frozenset(home for home in homes if home.strip("/")),
    )


def _account() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _home_of_account() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_dir


def _told(ask: Callable[[], str]) -> str:
    """What the system says; nothing where it knows no such account, as in a container."""
    try:
        return ask()
    except (KeyError, OSError, RuntimeError, ImportError):
        return ""


def _controlled_in(record: Record) -> frozenset[str]:
    public = record.subject.kind in ("registry", "hub") and not record.subject.source.startswith("/")
    return CONTROLLED | PUBLIC_ID if public else CONTROLLED


def _each_text(document: Any, controlled: frozenset[str], change: Callable[[str, str], str], name: str = "") -> Any:
    """The document with every text that is not controlled as `change(dotted name, text)` makes it."""
    if name == PUBLIC_SUBTREE:
        return document
    if isinstance(document, dict):
        return {
            key: _each_text(value, controlled, change, f"{name}.{key}" if name else key)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [_each_text(value, controlled, change, name) for value in document]
    return change(name, document) if isinstance(document, str) and name not in controlled else document


def _with_domains(hosts: Iterable[str]) -> set[str]:
    """Hosts as they are called in full, by their first part alone, and their domain, which may be an employer's."""
    found: set[str] = set()
    for host in hosts:
        first, _, domain = host.partition(".")
        found |= {host, first} | ({domain} if "." in domain else set())
    return found


def _looked_for(names: Iterable[str]) -> list[str]:
    return [name for name in names if len(name) >= SHORTEST and name.casefold() not in _public()]


@functools.cache
def _public() -> frozenset[str]:
    """Words and names that anybody's record may have, in lower case."""
    return VOCABULARY | {name.casefold() for model in load_registry().models.values() for name in model.names}
