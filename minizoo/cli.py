"""The `minizoo` command: a table of commands, each imported only when it is called."""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

import click

from minizoo import __version__
from minizoo.failures import as_error, refused
from minizoo.output import show_error
from minizoo.run_log import RunLog
from minizoo.streams import discard, outlive_reader

# name → (module:function, the one line that `minizoo --help` shows). Kept here so that help imports no command.
COMMANDS: dict[str, tuple[str, str]] = {
    "models": ("minizoo.commands.models:models", "List the models of the registry."),
    "show": (
        "minizoo.commands.show:show",
        "Show one model, of the registry or a folder: dimensions, parameters, scores.",
    ),
    "claims": ("minizoo.commands.claims:claims", "Recompute what the model cards and papers claim."),
    "eval": ("minizoo.commands.eval:evaluate", "Measure a model's accuracy on a suite of tasks."),
    "lm-eval": (
        "minizoo.commands.lm_eval:lm_eval",
        "Run lm-eval's own command line, with minizoo as one of its models.",
    ),
    "bench": ("minizoo.commands.bench:bench", "Measure a model's speed, beside what the hardware allows."),
    "compare": ("minizoo.commands.compare:compare", "Compare two models or runs, document by document."),
    "gate": ("minizoo.commands.gate:gate", "Judge a candidate by a policy: passed, regressed, or not to be told."),
    "baseline": (
        "minizoo.commands.baseline:baseline",
        "Accept a run as the one to compare with, or list those accepted.",
    ),
    "nightly": ("minizoo.commands.nightly:nightly", "Run a plan of evaluations and speeds, and judge what came of it."),
    "job": ("minizoo.commands.job:job", "Run one job of a night, as a scheduler's task does."),
    "history": ("minizoo.commands.history:history", "Show results over nights, and where they changed."),
    "power": ("minizoo.commands.power:power", "Say what a suite could find, before it is run."),
    "import": (
        "minizoo.commands.import_results:import_results",
        "Take in rows that others contributed, and results of vllm bench, trtllm-bench, AIPerf, GenAI-Perf or lm-eval.",
    ),
    "prune": ("minizoo.commands.prune:prune", "Cut a checkpoint to a smaller one, streamed."),
    "search": ("minizoo.commands.search:search", "Find the shape that a parent is best cut to within a budget."),
    "distill": ("minizoo.commands.distill:distill", "Retrain a cut checkpoint on what its parent says."),
    "conformance": (
        "minizoo.commands.conformance:conformance",
        "Check that a backend gives right numbers for a model, before its scores count.",
    ),
    "report": (
        "minizoo.commands.report:report",
        "Write the leaderboard as a site of static pages, or its table as Markdown, JSON or CSV.",
    ),
    "export": ("minizoo.commands.export:export", "Write results in the forms of lm-eval and of the Hugging Face hub."),
    "db": ("minizoo.commands.db:db", "Find, check or rebuild the results database."),
    "data": ("minizoo.commands.data:data", "Fill or check a local mirror of the data sets that suites read."),
    "doctor": (
        "minizoo.commands.doctor:doctor",
        "Check what minizoo needs on this machine, and say how to mend what fails.",
    ),
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

    def invoke(self, ctx: click.Context) -> Any:
        """As click does, but an OSError gets its cause here: click would take any closed pipe for stdout's and exit 1."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            raise refused(error) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="minizoo")
@click.option("-v", "--verbose", is_flag=True, help="Show on stderr what goes into the log file of the run.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def minizoo(context: click.Context, verbose: bool, debug: bool) -> None:
    """Is the small model as good as claimed, and as fast as claimed, on this machine?"""
    context.ensure_object(RunState).begin(context.invoked_subcommand or "", verbose, debug)


@dataclass
class RunState:
    """What outlives the command: its log, and whether a traceback is wanted."""

    argv: list[str] = field(default_factory=list)
    debug: bool = False

    def __post_init__(self) -> None:
        self.log = RunLog(self.argv)

    def begin(self, command: str, verbose: bool, debug: bool) -> None:
        """Take the group's options; a command that only shows its help leaves no log."""
        self.debug = debug
        if not {"-h", "--help"} & set(self.argv):
            self.log.start(command, verbose)


def main(argv: list[str] | None = None) -> None:
    """Run the command line as the installed script does: exit codes 0, 1, 2, 3, 4, 70 and 130, whoever reads stdout."""
    outlive_reader()
    code = run(sys.argv[1:] if argv is None else argv)
    try:
        sys.stdout.flush()
    except OSError as error:  # the disk behind stdout is full
        discard(1)
        code = code or show_error(refused(error))
    sys.exit(code)


def run(argv: list[str]) -> int:
    """Run one command and return its exit code; an error becomes one paragraph on stderr, with --json a document too."""
    state = RunState(argv)
    raised: BaseException | None = None
    try:
        result: Any = minizoo.main(args=list(argv), prog_name="minizoo", standalone_mode=False, obj=state)
        code = result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except (Exception, KeyboardInterrupt, SystemExit) as exception:
        raised = exception
        if state.debug:
            traceback.print_exc()
        code = show_error(as_error(exception, state.log.path), as_json="--json" in argv)
    state.log.end(code, raised)
    return code


if __name__ == "__main__":
    main()
