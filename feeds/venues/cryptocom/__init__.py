"""Crypto.com."""
