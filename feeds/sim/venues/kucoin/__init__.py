"""KuCoin, simulated."""
