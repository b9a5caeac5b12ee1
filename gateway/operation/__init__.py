"""Client operations: parsed, validated and normalised."""

from gateway.operation.document import Operation, SelectedField
from gateway.operation.parse import parse_operation

__all__ = ["Operation", "SelectedField", "parse_operation"]
