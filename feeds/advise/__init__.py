"""Books, verdicts and fees in; the cost of each route, the best split and what is lost without a venue out. Pure."""
