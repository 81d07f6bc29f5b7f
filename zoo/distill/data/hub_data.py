"""Data sets read by `datasets`: of the hub as a stream, without scripts, and folders that `save_to_disk` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.distill.data.sources import HubData
from zoo.errors import HubUnreachable, InvalidTrainingData, one_line

UNREACHABLE = ("ConnectionError", "OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectTimeout", "ConnectError")
"""What `datasets` and the hub's client raise where there is no network, by name: they come from several packages."""


def hub_rows(data: HubData, name: str) -> Iterator[Any]:
    """The rows of a split, in their order. Raises HubUnreachable, and InvalidTrainingData for what the hub does not have."""
    import datasets

    try:
        yield from datasets.load_dataset(data.id, data.config, split=data.split, streaming=True, revision=data.revision)
    except Exception as error:  # whatever `datasets`, its readers and the hub's client raise
        raise _told(error, name) from None


def revision_of(data: HubData, name: str) -> str:
    """The commit of the hub that the name stands for now. Raises as `hub_rows`."""
    from huggingface_hub import HfApi

    try:
        return HfApi().dataset_info(data.id, revision=data.revision).sha or "unknown"
    except Exception as error:
        raise _told(error, name) from None


def saved_rows(folder: Path) -> Iterator[Any]:
    """The rows of a folder of `save_to_disk`. Raises InvalidTrainingData for one that cannot be read."""
    import datasets

    try:
        yield from datasets.load_from_disk(str(folder))
    except Exception as error:
        raise InvalidTrainingData(
            f"{folder} is no data set that `datasets` can read ({one_line(error)}).", "Write it anew with save_to_disk."
        ) from None


def _told(error: Exception, name: str) -> HubUnreachable | InvalidTrainingData:
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 10:
        chain.append(cause)
    if any(type(each).__name__ in UNREACHABLE for each in chain):
        return HubUnreachable(
            f"There is no file or folder {name}, and the hub cannot be asked for a data set of that name ({one_line(error)}).",
            "Give the path of a file, or go where the hub can be reached.",
        )
    return InvalidTrainingData(
        f"There is no file or folder {name}, and no data set of that name that can be read ({one_line(error)}).",
        "Give the path of a file, or owner/name[:config[:split]].",
    )
