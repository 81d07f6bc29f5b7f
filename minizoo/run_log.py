"""A log file a run: what was called, what the rooms and the libraries below them logged, and how it ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from minizoo import __version__

if TYPE_CHECKING:
    from logging import Handler, Logger

KEPT = 20
"""Log files that stay; the oldest go first."""
ROOMS = ("zoo", "backends", "harness", "reports", "minizoo")
LIBRARIES = ("lm_eval", "datasets", "huggingface_hub", "transformers")
"""Libraries whose loggers write to the terminal by themselves; here they write to the log file."""
SILENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_SYMLINKS_WARNING": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "RUST_LOG": "off",
}
"""Variables that keep libraries' own bars and logs from the terminal; what the user has set stays."""
TERMINAL = "minizoo.terminal"
"""The logger of what the terminal shows anyway (notes, errors) and of tracebacks, which goes to the file alone."""
WARNING = "minizoo: %(message)s"
"""How a warning of a room is shown on the terminal."""
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_folder() -> Path:
    """Where logs are: $MINIZOO_LOG_DIR, else `minizoo/logs` in $XDG_STATE_HOME or ~/.local/state."""
    if named := os.environ.get("MINIZOO_LOG_DIR"):
        return Path(named)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local/state") / "minizoo/logs"


class RunLog:
    """The log of one command. Where no file can be written there is none, and the command runs all the same."""

    def __init__(self, argv: list[str]) -> None:
        self.argv = argv
        self.path: Path | None = None
        self._handlers: list[Handler] = []
        self._before: list[tuple[Logger, list[Handler], bool]] = []

    def start(self, command: str, verbose: bool) -> None:
        """Open the file and route all loggers into it; with `verbose` to stderr as well, else the rooms' warnings alone."""
        import logging

        self._handlers = [self._file(command) or logging.NullHandler()]
        if verbose:
            self._handlers.append(logging.StreamHandler())
        for handler in self._handlers:
            handler.setFormatter(logging.Formatter(FORMAT))
        self._route(logging.getLogger(TERMINAL), self._handlers[:1], False)
        shown = [] if verbose else [_warnings_on_terminal()]
        for name in ROOMS:
            self._route(logging.getLogger(name), [*logging.getLogger(name).handlers, *self._handlers, *shown], True)
        for name in LIBRARIES:
            self._route(_library_logger(name), self._handlers, False)
        self._silence()
        log = logging.getLogger("minizoo")
        log.info("minizoo %s, Python %s, in %s", __version__, sys.version.split()[0], os.environ.get("PWD", "?"))
        log.info("minizoo %s", shlex.join(self.argv))

    def end(self, code: int, error: BaseException | None = None) -> None:
        """Note how the command ended, with the traceback of its error, and give the loggers back."""
        if not self._handlers:
            return
        import logging

        if error:
            logging.getLogger(TERMINAL).error("%s", error, exc_info=error)
        logging.getLogger("minizoo").info("exit code %d", code)
        for logger, handlers, propagate in self._before:
            logger.handlers[:], logger.propagate = handlers, propagate
        logging.captureWarnings(False)
        for handler in self._handlers:
            with contextlib.suppress(OSError):  # what is left to write finds no room: the command's own end stands
                handler.close()
        self._handlers, self._before = [], []

    def _silence(self) -> None:
        """Libraries that nobody named, and `warnings.warn` of all of them, go where the others' loggers go."""
        import logging

        for variable, value in SILENT.items():
            os.environ.setdefault(variable, value)
        logging.captureWarnings(True)
        root = logging.getLogger()
        self._route(root, [*root.handlers, *(_others(handler) for handler in self._handlers)], True)

    def _route(self, logger: Logger, handlers: list[Handler], propagate: bool) -> None:
        import logging

        self._before.append((logger, list(logger.handlers), logger.propagate))
        logger.handlers[:], logger.propagate = handlers, propagate
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)

    def _file(self, command: str) -> Handler | None:
        import logging

        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        try:
            folder = log_folder()
            folder.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(folder / f"{stamp}-{command}-{os.getpid()}.log", encoding="utf-8")
            for old in sorted(folder.glob("*Z-*-*.log"))[:-KEPT]:
                old.unlink(missing_ok=True)
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            return None
        self.path = Path(handler.baseFilename)
        return handler


def _warnings_on_terminal() -> Handler:
    import logging

    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter(WARNING))
    return handler


def _others(handler: Handler) -> Handler:
    """Passes on what comes from none of the rooms: those have the handler themselves."""
    import logging

    class Others(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            """Hand the record on."""
            if record.name.split(".")[0] not in ROOMS:
                handler.handle(record)

    return Others()


def _library_logger(name: str) -> Logger:
    """The library's top logger, of a class that refuses the terminal handlers which transformers adds when imported."""
    import logging

    class LibraryLogger(logging.Logger):
        def addHandler(self, hdlr: Handler) -> None:
            """Refuse: this logger's handlers are set by the run."""

    usual = logging.getLoggerClass()
    logging.setLoggerClass(LibraryLogger)
    try:
        return logging.getLogger(name)
    finally:
        logging.setLoggerClass(usual)
