"""How items, agreements and prices are read; data comes through ports only."""
