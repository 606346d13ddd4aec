"""Sockets of the simulator: ports, clients, the feed of each route, and the control endpoint."""
