"""MEXC, simulated."""
