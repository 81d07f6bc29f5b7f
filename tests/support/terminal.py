"""A terminal of a stated width, for the commands that a person reads there."""

import os
import pty
import re
import select
import subprocess
import sys
import termios

SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_terminal(
    columns, *commands, code="from minizoo.cli import run; import sys; [run(c.split()) for c in sys.argv[1:]]"
):
    """What the commands (one process runs them all) write to a terminal that is so wide: its lines, without styles."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (50, columns))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    argv = [sys.executable, "-c", code, *commands]
    with subprocess.Popen(argv, stdin=writer, stdout=writer, stderr=writer, env={**env, "TERM": "xterm"}) as process:
        os.close(writer)
        written = b"".join(iter(lambda: _read(reader), b""))
        process.wait()
    os.close(reader)
    return SEQUENCE.sub("", written.decode("utf-8")).replace("\r\n", "\n").split("\n")


def _read(reader):
    select.select([reader], [], [], 120)
    try:
        return os.read(reader, 65536)
    except OSError:  # the other end is closed
        return b""
