"""What the event log adds up to: facts folded from it, and key figures measured over them."""
