"""Kraken."""
