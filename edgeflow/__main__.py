"""`python -m edgeflow`."""

from __future__ import annotations

from edgeflow.cli.app import main

if __name__ == "__main__":
    main()
