"""Merge the definitions of all subgraphs into one schema."""

from gateway.composition.merge.merged import MergedField, MergedInput, MergedSchema, MergedType
from gateway.composition.merge.merger import merge

__all__ = ["MergedField", "MergedInput", "MergedSchema", "MergedType", "merge"]
