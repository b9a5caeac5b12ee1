"""How stock, availability and reservations are read and changed; data comes through ports only."""
