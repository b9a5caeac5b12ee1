"""Passes over the steps of a draft, each a verb."""
