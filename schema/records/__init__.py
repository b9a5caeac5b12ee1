"""Canonical records: the one shape of each business object between connectors, processes and resolvers."""
