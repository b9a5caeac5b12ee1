"""Compare a new schema with the published one, as far as clients are concerned. Reads no files and sends nothing."""

from gateway.check.changes import Change, breaking_changes
from gateway.check.judge import Check, OperationCheck, RecordedOperation, check_schema
from gateway.check.show import to_json, to_text

__all__ = [
    "Change",
    "Check",
    "OperationCheck",
    "RecordedOperation",
    "breaking_changes",
    "check_schema",
    "to_json",
    "to_text",
]
