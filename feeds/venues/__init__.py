"""Venues: facts and pure functions, one folder each. ``registry.py`` lists them all."""
