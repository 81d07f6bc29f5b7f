"""Somebody is told of a night's end: any command, which gets the outcome as JSON on its standard input."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from harness.records.night import NightOutcome

SECONDS = 60.0


def notify(words: Sequence[str], outcome: NightOutcome) -> str | None:
    """Run the command, without a shell; None where it went well, else why not, in words. Changes nothing of the outcome."""
    try:
        ran = subprocess.run(
            words, input=outcome.model_dump_json().encode(), capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"`{words[0]}` had not ended after {SECONDS:.0f} s and was killed"
    except (OSError, ValueError) as error:
        return f"`{words[0]}` cannot be run ({error})"
    if ran.returncode:
        said = " ".join(ran.stderr.decode("utf-8", "replace").split())[-200:]
        return f"`{words[0]}` ended with exit code {ran.returncode}{f': {said}' if said else ''}"
    return None
