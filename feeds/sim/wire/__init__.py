"""Shared by the twins: reading commands, writing numbers and messages, depth windows, rate limits."""
