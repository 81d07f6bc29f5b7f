"""The `minizoo` command: a table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from minizoo import __version__

# name → (module:function, the one line that `minizoo --help` shows). Kept here so that help imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "models": ("minizoo.commands.models:models", "List the models of the registry."),
    "show": ("minizoo.commands.show:show", "Show one model: lineage, dimensions, parameters, published scores."),
    "claims": ("minizoo.commands.claims:claims", "Recompute what the model cards and papers claim."),
    "eval": ("minizoo.commands.eval:evaluate", "Measure a model's accuracy on a suite of tasks."),
    "bench": ("minizoo.commands.bench:bench", "Measure a model's speed, beside what the hardware allows."),
    "import": (
        "minizoo.commands.import_results:import_results",
        "Take in results of vllm bench, trtllm-bench, AIPerf or lm-eval.",
    ),
    "prune": ("minizoo.commands.prune:prune", "Cut a checkpoint to a smaller one, streamed."),
    "report": ("minizoo.commands.report:report", "Write the results as one self-contained HTML page."),
    "db": ("minizoo.commands.db:db", "Find, check or rebuild the results database."),
    "data": ("minizoo.commands.data:data", "Fill or check a local mirror of the data sets that suites read."),
    "doctor": ("minizoo.commands.doctor:doctor", "Say what works on this machine, and what mends the rest."),
}


class LazyGroup(click.Group):
    """A click group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None when there is none of that name (click then suggests one)."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name][0].split(":")
        return getattr(importlib.import_module(module), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list from the table, importing nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a wrong name is answered without importing every command."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from zoo.errors import UnknownName
            from zoo.names import unknown

            raise unknown(UnknownName, "command", name, COMMANDS, "`minizoo --help` lists them.")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="minizoo")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def minizoo(debug: bool) -> None:
    """Is the small model as good as claimed, and as fast as claimed, on this machine?"""
    if debug:
        os.environ["MINIZOO_DEBUG"] = "1"


def main(argv: list[str] | None = None) -> None:
    """Run the command line; errors become one paragraph on stderr and an exit code (0, 1, 2, 3, 4; 130 interrupted)."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    from zoo.errors import MinizooError

    try:
        result: Any = minizoo.main(args=argv, prog_name="minizoo", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("minizoo: interrupted. Finished work is kept; the same command goes on from there.", err=True)
        return 130
    except MinizooError as error:
        _show(str(error))
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _show(
            f"The system refused: {error.strerror or error}{where}. "
            "Check the path, its permissions and the free space (`minizoo doctor`)."
        )
        return 4
    except Exception as error:  # a fault of minizoo's own: still a paragraph, and a way to report it
        message = " ".join(str(error).split())[:300]
        _show(
            f"minizoo met what it should not ({type(error).__name__}: {message}). "
            "Finished work is kept. `minizoo --debug …` shows where; please report it with the command."
        )
        return 4


def _show(paragraph: str) -> None:
    if os.environ.get("MINIZOO_DEBUG"):
        traceback.print_exc()
    click.echo(f"minizoo: {paragraph}", err=True)


if __name__ == "__main__":
    main()
