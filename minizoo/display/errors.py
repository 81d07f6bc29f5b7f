"""The page of all errors, docs/errors.md: `python -m minizoo.display.errors > docs/errors.md`."""

from __future__ import annotations

import inspect

import click

from minizoo import failures
from zoo.errors import MinizooError, causes

INTRODUCTION = """# Errors

Every error has a code that never changes, in the `code` of `--json` output and of failed records. An error is one paragraph on
stderr: what happened and where, then the next thing to do. With `--json` the same stands on stdout as a document:

```json
{"schema": "minizoo.error/1", "code": "unknown-model", "what": "…", "hint": "…", "exit_code": 2}
```

Exit codes: 2 the request is wrong, 4 the surroundings are (network, disk, device, isolation), 70 minizoo itself is, 130
interrupted. (0 is success, 1 a regression, 3 inconclusive: these are results, not errors.) Every run leaves a log with the
traceback in `~/.local/state/minizoo/logs`.

| code | exit code | meaning |
|---|--:|---|
"""


def error_table() -> list[type[MinizooError]]:
    """Every cause, the command line's own last."""
    own = [
        kind
        for kind in vars(failures).values()
        if isinstance(kind, type) and issubclass(kind, MinizooError) and kind.__module__ == failures.__name__
    ]
    return [*(cause for cause in causes() if cause not in own), *own]


def errors_page() -> str:
    """The page as Markdown: code, exit code and meaning (the class's docstring) of each cause."""
    rows = [f"| `{cause.code}` | {cause.exit_code} | {_meaning(cause)} |" for cause in error_table()]
    return INTRODUCTION + "\n".join(rows) + "\n"


def _meaning(cause: type[MinizooError]) -> str:
    return " ".join((inspect.getdoc(cause) or "").split())


if __name__ == "__main__":
    click.echo(errors_page(), nl=False)
