"""What every route lists, asked through ccxt and cached."""
