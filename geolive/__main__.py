"""Start the command line: the installed `geolive`, `python -m geolive` and `python cli.py` begin here.

Only light modules are loaded before a signal can be answered in one line, since loading the others takes a while.
"""

import os
import signal
from types import FrameType

_STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def main() -> None:
    """Run the command line; a signal that arrives before the command begins ends the process with one line, too."""
    # a process that was told to ignore a signal (nohup) goes on ignoring it
    heard = [number for number in _STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, _stop_early)
    from geolive.cli import main as run

    try:
        run()
    finally:
        # the command has ended and said how; Python would show a traceback of its own end
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def _stop_early(number: int, frame: FrameType | None) -> None:
    os.write(2, b"error: stopped; run the same command again\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
