"""Gate, simulated."""
