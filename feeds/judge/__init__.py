"""Samples in, state, cause and reasons out. Pure: no clock, no I/O, no asyncio."""
