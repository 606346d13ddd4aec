"""Bybit."""
