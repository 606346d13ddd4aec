"""The config file with every key documented: what ``detour watch edit`` opens where there is no file yet."""

from __future__ import annotations

SAMPLE = """\
# Detour's config file. Every key is optional; a value behind '#' is an example, the others are the defaults.
# Commands that change this file (detour watch add, remove, use) rewrite it without comments; the file before
# such a change is kept beside it as config.toml.bak.

# What this machine is called in logs: where the measuring is done from. Default: the host's name.
# vantage = "tokyo-desk"

# The watchlist that is used when --watchlist names no other. "default" is always there, written or not.
watchlist = "default"

# Frames a second that collector and screen make, 0.5 to 20.
frames_per_s = 4.0

# A watchlist. Its name: 1 to 40 letters, digits, '-' or '_'.
[watchlists.default]
# ccxt's unified symbols, 1 to 64 of them: BASE/QUOTE is spot, BASE/QUOTE:QUOTE a linear perpetual.
symbols = ["BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
# Where: venue.product, or patterns such as "okx.*". Default: every route there is ("*").
routes = ["*.spot", "*.linear"]
# Where you trade by default; other routes are compared with it. For symbols of another product of the same
# venue that product's route counts as home. Without it nothing is compared.
home = "binance.linear"
# Order sizes advice is given for, in the quote currency, 1 to 8 of them; the first is shown first.
notionals = [100000.0]
# "buy" or "sell".
side = "buy"

# Your own taker fee on a route, a fraction of notional: 0.0004 is 4 bp. Without it the venue's published default tier.
# [fees."binance.linear"]
# taker = 0.0004

# Other hosts than the published ones (a regional host, a colocated gateway, a simulator).
# [endpoints.binance.linear]
# rest = "https://fapi1.binance.com"
# ws = "wss://fstream.binance.com"

# Neutral targets, host:port, that tell our own uplink from a venue's failure: 1 to 8.
[witness]
targets = ["1.1.1.1:443", "8.8.8.8:443"]

# Proxies on the way to venues: "http://host:port" (CONNECT), "socks5://host:port", "socks5h://host:port" (the proxy
# looks up names), each with user:password@ before the host if needed; "none" dials directly. Without an entry here
# HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment are followed. Through a proxy the kernel's round
# trip would end at the proxy, so it is not shown.
# [proxy]
# default = "http://10.0.0.1:3128"
# binance = "socks5h://127.0.0.1:1080"
# okx = "none"

# Failure domains: venues that share a cloud region or an edge network, taken away together in advice and blamed
# together when they fail together. Yours replace ours of the same name; an empty list removes one.
# [domains.my-colo]
# venues = ["binance", "okx"]

# The screen's colours; the command palette lists the themes.
# [screen]
# theme = "nord"

# Other keys for the screen's actions; the help page shows each action's name.
# [keys]
# freeze = "f"
"""


def documented_defaults() -> str:
    """The sample as TOML; read back it gives the same configuration as no file at all."""
    return SAMPLE
