"""``python -m crossdock``: the same as the command ``crossdock``."""

from crossdock.cli import main

__all__: list[str] = []

main()
