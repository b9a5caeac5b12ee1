"""Shape of the operations subgraph: processes, lineage, exception tasks, dead letters, systems, ownership."""
