"""Bitget, simulated."""
