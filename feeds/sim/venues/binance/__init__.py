"""Binance, simulated."""
