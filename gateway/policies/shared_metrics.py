"""Metrics of several processes in one folder, so that each of them can tell the sum.

Files are named by the worker's place and not by its process: a worker that takes the place of one that died goes on
with its files. So counters never fall, and there are only ever as many files as there are places.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["FOLDER", "shared_folder", "take_place"]

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable by which the library of Prometheus learns of the folder; it must be set before that loads."""


def shared_folder() -> Path | None:
    """Return the folder in which this process shares its metrics, None where it has its own alone."""
    found = os.environ.get(FOLDER)
    return Path(found) if found else None


def take_place(folder: Path, place: int) -> None:
    """Share the metrics of this process in a folder; what the one before in this place counted goes on.

    To be called before anything is counted.
    """
    os.environ[FOLDER] = str(folder)
    for gauge in folder.glob(f"gauge_live*_{place}.db"):
        gauge.unlink()  # what was under way died with the process
    from prometheus_client import values  # noqa: PLC0415 - it reads the variable when it loads

    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: place)  # type: ignore[no-untyped-call]
