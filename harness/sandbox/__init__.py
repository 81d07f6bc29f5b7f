"""Programs that a model wrote, run in isolation. Never imports what it runs, and never runs one where nothing isolates."""

from harness.sandbox.runner import isolation, run_programs

__all__ = ["isolation", "run_programs"]
