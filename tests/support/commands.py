"""The command line as click knows it."""

from __future__ import annotations

import click

from minizoo.cli import COMMANDS
from minizoo.cli import minizoo as group


def every_command() -> dict[str, click.Command]:
    """All commands and their sub-commands: `eval`, `db`, `db path` …"""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        found[name] = command
        for sub, child in getattr(command, "commands", {}).items():
            found[f"{name} {sub}"] = child
    return found
