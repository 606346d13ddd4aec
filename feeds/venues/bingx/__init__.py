"""BingX."""
