"""What a worker's process imports where a test starts one: a version, and an import that may hang (FAKE_TRTLLM)."""

import os
import time

if os.environ.get("FAKE_TRTLLM") == "hangs":
    time.sleep(600)
__version__ = os.environ.get("FAKE_TRTLLM_VERSION", "1.4.0rc1")


class LLM: ...


class SamplingParams: ...
