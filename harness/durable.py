"""Whether a results folder takes files. How a file is written whole or not at all is `zoo.durable`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from zoo.durable import publish_folder, write_atomically
from zoo.errors import EnvironmentFault

__all__ = ["check_writable", "publish_folder", "write_atomically"]


def check_writable(folder: Path) -> None:
    """Make the folder and prove that it takes a file, before hours of work depend on it; EnvironmentFault if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise EnvironmentFault(
            f"The folder {folder} cannot be written to ({error.strerror or error}).",
            "Free some space or mend its permissions, or give another folder.",
        ) from None
