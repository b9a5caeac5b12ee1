"""How accounts, and what they have, are read through ports only."""
