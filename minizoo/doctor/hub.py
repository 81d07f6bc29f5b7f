"""The hub: whether it answers."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from pathlib import Path

from minizoo.doctor.result import CheckResult

HUB_SECONDS = 4.0


def check_hub(_: Path) -> CheckResult:
    """The hub answers a HEAD request within HUB_SECONDS, name look-up included."""
    from huggingface_hub import constants, get_token

    offline = (
        "Without the hub: `--data DIR` for data sets, a folder as `--model`, or the models that ship with minizoo."
    )
    if constants.HF_HUB_OFFLINE:
        return CheckResult("warn", "switched off by HF_HUB_OFFLINE", f"Unset HF_HUB_OFFLINE. {offline}")
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(_head(constants.ENDPOINT)), daemon=True)
    asking.start()
    asking.join(HUB_SECONDS)
    trouble = answers[0] if answers else f"no answer within {HUB_SECONDS:g} s"
    if trouble:
        return CheckResult(
            "warn", f"{constants.ENDPOINT}: {trouble}", f"Check network and proxy (HTTPS_PROXY). {offline}"
        )
    token = "with a token" if get_token() else "without a token (gated models are refused: `hf auth login`)"
    return CheckResult("ok", f"{constants.ENDPOINT} answers, {token}")


def _head(url: str) -> str:
    """What went wrong with a HEAD request, or nothing."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "minizoo-doctor"})
    try:
        with urllib.request.urlopen(request, timeout=HUB_SECONDS):
            return ""
    except urllib.error.HTTPError as answer:
        return f"answered {answer.code} {answer.reason}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, ValueError) as error:
        return str(error) or type(error).__name__
