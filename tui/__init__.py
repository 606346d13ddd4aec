"""The screen: it knows frames and nothing else of feeds."""
