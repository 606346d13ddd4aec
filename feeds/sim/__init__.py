"""Simulated venues that speak the real protocols on loopback, and incident scenarios."""
