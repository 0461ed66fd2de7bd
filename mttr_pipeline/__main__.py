"""`mttr` and `python -m mttr_pipeline`: the command, from the first instant on deaf to nothing."""

import os
import signal
import sys
from types import FrameType


def _end(number: int, _frame: FrameType | None) -> None:
    """A signal while the program is still being loaded: there is nothing to keep."""
    name, code = ("Ctrl-C", 130) if number == signal.SIGINT else ("SIGTERM", 143)
    os.write(sys.stderr.fileno(), f"mttr: Ended by {name}.\n".encode())
    os._exit(code)


def main() -> None:
    """Load the command, which takes a second, and run it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    from mttr_pipeline.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
