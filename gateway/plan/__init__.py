"""Query plans: nodes, printing, soundness; shared by planner and executor."""
