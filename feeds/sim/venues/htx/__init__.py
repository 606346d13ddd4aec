"""HTX, simulated."""
