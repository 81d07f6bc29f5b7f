"""lm-eval's arguments as its own parser reads them, and what it cannot read in a paragraph instead of a usage."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from harness.lmeval.drop_in.replacing import replaced
from zoo.errors import LmEvalRefused
from zoo.names import closest

UNKNOWN = "unrecognized arguments: -"


def parsed() -> tuple[Any, argparse.Namespace]:
    """lm-eval's command line and what it reads from sys.argv. Raises LmEvalRefused; SystemExit after its help."""
    from lm_eval._cli import HarnessCLI

    cli = HarnessCLI()
    with replaced(argparse.ArgumentParser, "error", _refuse(_commands(cli))):
        return cli, cli.parse_args()


def asked_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options by their lm-eval names: of the command line, else of the configuration file that it names."""
    given = {name: value for name, value in vars(arguments).items() if value or value == 0}
    if not (file := given.get("config")):
        return given
    from lm_eval.config.evaluate_config import EvaluatorConfig

    return {**EvaluatorConfig.load_yaml_config(str(file)), **given}


def _commands(cli: Any) -> dict[str, argparse.ArgumentParser]:
    return cli._subparsers.choices


def _refuse(commands: dict[str, argparse.ArgumentParser]) -> Callable[[argparse.ArgumentParser, str], NoReturn]:
    """What argparse calls for a command line that it cannot read."""

    def error(parser: argparse.ArgumentParser, message: str) -> NoReturn:
        command = next(iter(sys.argv[1:]), "")
        where = f"lm-eval {command}" if command in commands else parser.prog
        options = commands[command]._option_string_actions if command in commands else ()
        near = closest(message.split()[2].partition("=")[0], options) if message.startswith(UNKNOWN) else None
        hint = f"Did you mean {near}? " if near else ""
        raise LmEvalRefused(f"{where}: {message}.", f"{hint}`minizoo {where} --help` lists the options.")

    return error
