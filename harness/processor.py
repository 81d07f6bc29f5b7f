"""Which processor a host has."""

from __future__ import annotations

import platform
import re
from pathlib import Path


def processor_name(cpuinfo: str | None = None) -> str | None:
    """The product name in the text of Linux's /proc/cpuinfo (by default this host's), else what Python knows."""
    if cpuinfo is None:
        try:
            cpuinfo = Path("/proc/cpuinfo").read_text("utf-8", "replace")
        except OSError:
            cpuinfo = ""
    model = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return model[1] if model else platform.processor() or None
