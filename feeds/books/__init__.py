"""One instrument's book, what is derived from it, and a route's books together."""
