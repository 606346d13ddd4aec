"""KuCoin."""
