"""The simulator: venues that speak the real protocols on loopback, and scenarios of incidents."""
