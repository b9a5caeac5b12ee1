"""What every part of the ERP has."""

from __future__ import annotations

from tests.support.fake_systems.script import Kept, Script


class ErpPart:
    """A part of the ERP: it obeys the script and keeps its documents with the others."""

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
