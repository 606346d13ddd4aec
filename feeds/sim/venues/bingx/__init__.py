"""BingX, simulated."""
