"""Bybit, simulated."""
