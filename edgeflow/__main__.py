"""`python -m edgeflow`, and the `edgeflow` program."""

from __future__ import annotations

import signal


def main() -> None:
    """Start the command line. Interrupted while it is still being loaded, it ends in silence."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edgeflow.cli.app import main as run_command_line

    run_command_line()


if __name__ == "__main__":
    main()
