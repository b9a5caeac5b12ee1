"""What every part of the ERP has."""

from __future__ import annotations

from schema.enums import SourceSystem
from tests.support.fake_systems.script import Kept, Script


class ErpPart:
    """A part of the ERP: it obeys the script and keeps its documents with the others."""

    system = SourceSystem.CLOUD_ERP

    def __init__(self, script: Script, kept: Kept) -> None:
        self.script = script
        self.kept = kept
