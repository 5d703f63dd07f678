"""Standard error is the log; standard output is for nobody."""

import contextlib
import os


def log(text: str, level: str = "") -> None:
    """Writes an entry, without a buffer: a line that is left over when the host is
    gone would change the exit status. Python ignores SIGPIPE already."""
    line = f"[{level}] {text}\n" if level else f"{text}\n"
    with contextlib.suppress(OSError):
        os.write(2, line.encode(errors="replace"))
