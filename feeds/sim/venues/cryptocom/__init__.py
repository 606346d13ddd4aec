"""Crypto.com Exchange, simulated."""
