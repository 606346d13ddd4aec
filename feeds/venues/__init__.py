"""Venues: facts and pure functions, one file each. ``registry`` names them all."""
