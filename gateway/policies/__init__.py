"""What the gateway allows: one small module per policy, compiled from the settings at start and then only applied."""
