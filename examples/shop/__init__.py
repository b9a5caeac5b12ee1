"""Two subgraphs of a small shop."""
