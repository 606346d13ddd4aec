"""Kraken, simulated."""
