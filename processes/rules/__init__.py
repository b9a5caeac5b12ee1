"""Business rules as pure functions: no I/O, no clock, no randomness; everything they need is an argument.

A rule answers with a record, or with a problem of :mod:`schema.records.problems` as a value; it raises for nothing
that a caller can send.
"""
