"""Deribit, simulated."""
