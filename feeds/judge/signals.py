"""Every signal that a reason of a verdict can name: its unit, over which window, and what it is.

The judge needs short windows; board and log show 30 s. A signal over another window than the board's figure has a name
of its own, with the window in it: ``rest_rtt_last5_ms`` is not the board's ``rest_p50_ms``. Behind a dot stands the
pair or the channel: ``channel_silence_ms.trades``.
"""

from __future__ import annotations

from typing import NamedTuple


class Signal(NamedTuple):
    """``unit``: empty for a mere statement without a value."""

    unit: str
    window: str
    what: str


SIGNALS: dict[str, Signal] = {
    # REST
    "rest_rtt_last5_ms": Signal("ms", "last 5 warm probes", "REST round trip, median, less our own lag"),
    "rest_lost_last20s_share": Signal("0 to 1", "last 20 s", "REST probes without an answer"),
    "rest_error_last30s_share": Signal("0 to 1", "last 30 s", "REST answers that say overloaded or broken"),
    "rest_failed_in_a_row": Signal("probes", "last 5 probes", "REST probes lost or answered with an error"),
    "rest_limited_last5": Signal("probes", "last 5 probes", "REST answers that say we ask too much"),
    "rest_refusals": Signal("answers", "in a row", "REST answers that refuse us"),
    # network
    "tcp_rest_last5_ms": Signal("ms", "last 5 warm probes", "the kernel's round trip to the REST host, median"),
    "tcp_ws_last8s_ms": Signal("ms", "last 8 s", "the kernel's round trip to the websocket host, median"),
    "connect_last3_ms": Signal("ms", "last 3 cold probes", "TCP connect, median"),
    # feed
    "feed_age_last5s_ms": Signal("ms", "last 5 s", "receipt minus the venue's time, median, less our own lag"),
    "engine_lag_last5s_ms": Signal("ms", "last 5 s", "inside the venue, engine to gateway, median"),
    "data_silence_ms": Signal("ms", "now", "since the last trade or book change on any channel"),
    "channel_silence_ms": Signal("ms", "now", "since the last data of this channel"),
    "msgs_last6s_per_s": Signal("messages/s", "last 6 s", "messages, mean"),
    "links_down": Signal("websockets", "now", "websockets that are not connected"),
    "links_our_limit": Signal("websockets", "now", "websockets that the venue keeps closed for our limit"),
    "handshake_refusals": Signal("websockets", "now", "websockets whose last handshake was refused"),
    "reconnects_last120s": Signal("reconnects", "last 120 s", "reconnects that nobody announced"),
    "gaps_last30s": Signal("gaps", "last 30 s", "sequence gaps and resyncs"),
    # books and prices
    "book_crossed_s": Signal("s", "now", "since when the book is crossed"),
    "book_disagrees_s": Signal("s", "now", "since when the book disagrees with a snapshot or trades"),
    "book_unsynced_s": Signal("s", "now", "since when there is no complete book"),
    "frozen_books": Signal("books", "now", "books that do not change while trades go on"),
    "depth_10bp_last4s": Signal("quote currency", "last 4 s", "depth within 10 bp of mid, thinner side, median"),
    "spread_last4s_bps": Signal("bp", "last 4 s", "spread, median"),
    "gap_bps": Signal("bp", "now", "mid against the other routes' mids; as the board's figure of this name"),
    # official
    "official_status": Signal("", "now", "a notice of the venue"),
    # other routes
    "venues_together": Signal("venues", "now", "venues that show the same trouble"),
    "peers_unmoved": Signal("venues", "now", "other venues that are near their baseline in this"),
    # ourselves
    "uplink": Signal("", "now", "our line to the internet"),
    "witness": Signal("", "now", "the neutral targets; as the log's figure of this name"),
    "clock": Signal("", "now", "our clock; as the log's figure of this name"),
    "loop_lag_max_last6s_ms": Signal("ms", "last 6 s", "lag of our event loop, worst"),
    "unmeasured": Signal("", "now", "the route is not being measured"),
    "certificate": Signal("", "now", "a certificate that does not verify here"),
    "unwatched": Signal("", "now", "no pair of the route can be watched"),
    "warming": Signal("", "now", "no baseline yet"),
    "clearing_s": Signal("s", "now", "since when the evidence of the state on show has ended"),
}
