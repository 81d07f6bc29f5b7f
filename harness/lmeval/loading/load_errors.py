"""What lm-eval, datasets and the hub's client raise while a task loads, translated to the causes in zoo.errors."""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from harness.data.mirror import SPLITS
from zoo.checkpoint.hub.reachable import why_unreachable
from zoo.errors import DataMissing, DiskFull, HubUnreachable, InvalidTask, MinizooError, PackageMissing, one_line

FULL = {errno.ENOSPC, errno.EDQUOT}
SCRIPT = "scripts are no longer supported"
"""What datasets says of a data set that comes as a script."""
AGAIN = "Give a local mirror with --data DIR, or run again with the network up."


@contextmanager
def translated_load_errors(task: str, config: Mapping[str, Any]) -> Generator[None]:
    """Inside, a foreign exception becomes PackageMissing, HubUnreachable, DataMissing, DiskFull or InvalidTask; minizoo's own
    pass.

    A task's module that ends the program (SLR-Bench without Prolog) is held likewise.
    """
    try:
        yield
    except MinizooError:
        raise
    except (Exception, SystemExit) as error:
        raise _cause(error, task, config) from None


def is_script(error: BaseException) -> bool:
    """Whether the data set was refused because it is a script on the hub."""
    return SCRIPT in str(error)


def _cause(error: BaseException, task: str, config: Mapping[str, Any]) -> MinizooError:
    chain = list(_chain(error))
    names = {base.__name__ for one in chain for base in type(one).__mro__}
    said = " ".join(map(str, chain))
    if "Couldn't find a module script" in said:
        return HubUnreachable(
            f"Task {task} needs a metric of the evaluate library, which is not in the cache and cannot be had from the hub "
            f"({one_line(error)[:200]}).",
            "Run again with the network up.",
        )
    if isinstance(error, ImportError | SystemExit) or "pip install" in str(error):
        return PackageMissing(
            f"Task {task} needs something that is not installed ({one_line(error)}).",
            "`pip install 'minizoo[instruct]'` has what the tasks of minizoo's suites need beyond the rest.",
        )
    dataset = config.get("dataset_path")
    what = f"Task {task} needs {f'the data set {dataset}' if dataset else 'its data set'}"
    for is_so, words, hint in MISSING:
        if is_so(chain, names, said):
            told = {"error": _why(chain), "unreachable": why_unreachable() or _why(chain)}
            return DataMissing(f"{what}, {words.format(**told)}.", hint.format(dataset=dataset))
    if any(isinstance(one, OSError) and one.errno in FULL for one in chain):
        return DiskFull(f"{what}, and the disk has no room for it ({one_line(error)[:200]}).", "Free some space.")
    if (split := _absent_split(error, config)) is not None:
        return DataMissing(
            f"{what} with its split {split}, which it does not have.", "Give a mirror that has it: --data DIR."
        )
    if isinstance(error, OSError):
        return DataMissing(f"{what}, which cannot be read ({_why(chain)}).", AGAIN)
    return InvalidTask(
        f"lm-eval cannot load task {task} ({_why(chain)}).",
        "Check the task's YAML and the columns of its data.",
    )


Chain = Sequence[BaseException]
Asks = Callable[[Chain, set[str], str], bool]


def _of(*classes: str) -> Asks:
    """Exception classes by name: their modules differ between versions of the hub's client."""
    return lambda _, names, __: bool(names & set(classes))


MISSING: tuple[tuple[Asks, str, str], ...] = (
    (
        lambda _, names, said: "GatedRepoError" in names or "gated dataset" in said,
        "which is gated on the hub",
        "Accept its licence at huggingface.co/datasets/{dataset}, then run `hf auth login`; or give a mirror with --data DIR.",
    ),
    (
        lambda chain, _, __: 429 in _statuses(chain[0]),
        "and the hub answered that there were too many requests (429)",
        "Wait a little, or run `hf auth login`, which allows more; the same command then goes on.",
    ),
    (
        lambda chain, _, __: any(status >= 500 for status in _statuses(chain[0])),
        "and the hub answered with an error of its own ({error})",
        "Run again later.",
    ),
    (
        lambda _, names, said: "RepositoryNotFoundError" in names or "doesn't exist on the Hub" in said,
        "which the hub does not have, or only for whom it is private",
        "Run `hf auth login` if it is yours, or give a mirror that has it: --data DIR.",
    ),
    (
        lambda _, __, said: "BuilderConfig" in said and "not found" in said,
        "of which the hub does not have the configuration ({error})",
        "Give a mirror that has it: --data DIR.",
    ),
    (
        lambda _, __, said: SCRIPT in said,
        "which is a script on the hub and is never run",
        "Take the hub's Parquet export of it with `minizoo data pull --data DIR`, then give --data DIR.",
    ),
    (
        _of("ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "DatasetNotFoundError"),
        "which is not in the cache and the hub cannot be reached ({unreachable})",
        AGAIN,
    ),
    (
        _of("DataFilesNotFoundError", "EmptyDatasetError"),
        "whose files the hub does not have ({error})",
        "Give a mirror that has it: --data DIR.",
    ),
    (
        _of("TransportError", "TimeoutException", "HfHubHTTPError"),
        "and the connection to the hub broke off ({error})",
        "Run again: what came whole is kept. Or give a local mirror with --data DIR.",
    ),
)
"""Whether it is so of the exceptions (the chain of causes, the names of their classes, their words) → what is said, and what to
do. `error` is the exception in a few words. The first that is so counts."""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and its causes, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__  # a mere context says little: datasets loads in `except` of a file that it looked for


def _statuses(error: BaseException) -> set[int]:
    """The HTTP statuses of all that went before, told as a cause or not: datasets raises anew after a look at its cache."""
    before: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in before:
            before[id(one)] = one
            waiting += [one.__cause__, one.__context__]
    found = [getattr(getattr(one, "response", None), "status_code", None) for one in before.values()]
    return {status for status in found if isinstance(status, int)}


def _why(chain: Chain) -> str:
    """What went wrong at first: datasets says of it that a data set could not be made."""
    first = chain[-1]
    return f"{type(first).__name__}: {one_line(first)[:200]}".rstrip(": ")


def _absent_split(error: BaseException, config: Mapping[str, Any]) -> str | None:
    """The split that lm-eval asked the data set for in vain."""
    named = {config.get(key) for key in SPLITS} - {None}
    if isinstance(error, KeyError) and error.args and error.args[0] in named:
        return str(error.args[0])
    return None
