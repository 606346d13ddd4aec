"""The simulated market: what is listed, prices, order books, and time."""
