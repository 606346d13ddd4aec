"""Any exchange that ccxt.pro can watch, in a process of its own beside the collector."""
