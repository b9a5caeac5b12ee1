"""How the parts are put together: systems, ledgers, subgraphs and processes; the only place that knows them all."""
