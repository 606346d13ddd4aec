"""Coinbase, simulated."""
