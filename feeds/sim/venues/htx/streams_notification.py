"""HTX's notification websocket of USDT swaps, simulated: funding and liquidations.

It needs no login. Its messages have another form than those of the market websockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Raw, Struct

from feeds.sim.twin import Close, Out, SimInstrument, SimLiquidation, SimMark, TwinSession, World
from feeds.sim.venues.htx import rest
from feeds.sim.venues.htx.pings import Pings
from feeds.sim.wire.commands import reader
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import S, ms, ms_text, times

PATIENCE_NS = 25 * S
"""The time of five pings, as documented."""
FUNDING_EVERY_NS = 5 * S
"""The funding rate is computed this often."""
_TOPIC = re.compile(r"public\.([^.]+)\.(funding_rate|liquidation_orders)")


class _Command(Struct):
    op: str
    topic: str = ""
    cid: str = ""
    ts: str | int = 0


_read = reader(_Command)


class NotificationSession(TwinSession):
    def __init__(self, world: World, once: EncodeOnce[bytes], pack: Callable[[object], bytes]) -> None:
        self._world, self._once, self._pack = world, once, pack
        self._topics: set[str] = set()
        self._funded_ns: dict[str, int] = {}
        self._pings = Pings(world.now_ns(), PATIENCE_NS)

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._pings = Pings(now_ns, PATIENCE_NS)
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = _read(raw)
        if command is None:
            return (self._pack({"op": "error", "ts": ms(now_ns), "err-code": 2040, "err-msg": "Illegal request."}),)
        match command.op:
            case "pong":
                if str(command.ts).isdecimal():
                    self._pings.answered(int(command.ts), now_ns)
                return ()
            case "sub" | "unsub":
                code, words = self._wants(command)
            case _:
                return (self._pack({"op": "error", "ts": ms(now_ns)}),)
        said = (
            {"op": command.op}
            | ({"cid": command.cid} if command.cid else {})
            | {"topic": command.topic, "ts": ms(now_ns)}
        )
        return (self._pack(said | {"err-code": code} | ({"err-msg": words} if words else {})),)

    def _wants(self, command: _Command) -> tuple[int, str]:
        named = _TOPIC.fullmatch(command.topic)
        if named is None:
            return 2010, "Topic error."
        code, topic = named[1].upper(), f"public.{named[1].upper()}.{named[2]}"
        if command.op == "unsub":
            if topic not in self._topics:
                return 2012, "Topic not subscribed."
            self._topics.discard(topic)
        elif code != "*" and self._world.find(rest.VENUE, code, "linear") is None:
            return 2011, "Contract doesn't exist."
        else:
            self._topics.add(topic)
        return 0, ""

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        def row() -> rest.Row:
            coins = times(liquidation.size, instrument.contract_size)
            return {
                "symbol": instrument.base, "contract_code": instrument.venue_id, "direction": liquidation.side,
                "offset": "close", "volume": rest.figure(instrument, liquidation.size),
                "price": rest.figure(instrument, liquidation.price), "created_at": ms(liquidation.engine_ns),
                "amount": Raw(coins.encode()), "trade_turnover": Raw(times(coins, liquidation.price).encode()),
                "contract_type": "swap", "pair": instrument.venue_id, "business_type": "swap",
            }  # fmt: skip

        return self._push(instrument, "liquidation_orders", liquidation, liquidation.gateway_ns, row)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        if mark.gateway_ns - self._funded_ns.get(instrument.venue_id, 0) < FUNDING_EVERY_NS:
            return ()

        def row() -> rest.Row:
            paid = {"settlement_time": ms_text(mark.next_funding_ns), "estimated_rate": None}
            made = {"funding_time": ms_text(mark.gateway_ns), "funding_rate": mark.funding_rate}
            named = {"symbol": instrument.base, "contract_code": instrument.venue_id, "fee_asset": instrument.quote}
            return named | made | paid

        pushed = self._push(instrument, "funding_rate", mark, mark.gateway_ns, row)
        if pushed:
            self._funded_ns[instrument.venue_id] = mark.gateway_ns
        return pushed

    def tick(self, now_ns: int) -> Sequence[Out]:
        due = self._pings.due(now_ns)
        if due is None or isinstance(due, Close):
            return () if due is None else (due,)
        return (self._pack({"op": "ping", "ts": str(due)}),)

    def _push(
        self, one: SimInstrument, kind: str, event: object, sent_ns: int, row: Callable[[], rest.Row]
    ) -> Sequence[Out]:
        if one.product != "linear":
            return ()

        def packed(topic: str) -> bytes:
            return self._pack({"op": "notify", "topic": topic, "ts": ms(sent_ns), "data": [row()]})

        wanted = (f"public.{one.venue_id}.{kind}", f"public.*.{kind}")
        return [self._once.get(topic, event, partial(packed, topic)) for topic in wanted if topic in self._topics]
