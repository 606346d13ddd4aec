"""Wires measuring, judging and advising together, and makes frames."""
