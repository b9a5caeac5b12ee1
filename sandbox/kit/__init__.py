"""What every sandbox system is made of: a store, a clock, faults, webhooks, and the server around them."""
