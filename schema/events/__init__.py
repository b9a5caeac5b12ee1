"""Event contracts: the envelope and the names of what can happen."""
