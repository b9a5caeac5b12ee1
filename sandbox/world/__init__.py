"""The demo world: one seed, one distributor, told to each sandbox system in its own words."""
