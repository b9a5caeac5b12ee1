"""How processes, lineage, tasks, dead letters and the health of systems are read, through ports only."""
