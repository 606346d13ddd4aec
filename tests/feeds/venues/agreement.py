"""What our decoders must read from the messages of the twins, product by product: the table of ``test_agreement``.

Decoder and twin were written independently from the same documents. A row tells how much of the simulated market this
venue's protocol carries. What is the same for all venues is only in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, structs

from feeds.model import Fault, Instrument, Product
from feeds.sim.registry import TWINS
from feeds.venues.base import Answer, RestRequest
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import Cell, gone_beside, instrument_of
from tests.feeds.venues.line import Line


class Expected(Struct, frozen=True, kw_only=True):
    """For each message, the times that it carries: ``E`` the matching engine's, ``G`` the gateway's. None: no such
    message."""

    book: str = "EG"
    quote: str | None = "EG"
    trade: str = "EG"
    liquidation: str | None = None
    mark: tuple[float | None, float | None, float | None, float | None, bool] | None = None
    """Mark, index, funding rate, the hours that it covers, and whether the time of the next funding is told."""
    pong: tuple[str, ...] | None = ("token",)
    """What the answer to our ping carries. None: no application-level ping."""
    notice: tuple[float | None] | None = None
    """The notice before a planned cut: the time until then, if it is told. None: no notice."""
    quiet_s: int | None = None
    """In a market without changes a message comes this often. None: none comes."""
    gone: str = "refused"
    """A symbol that does not exist is ``refused``, ``silent`` (acknowledged like any other), or ``both``."""
    nonsense: Fault | None = Fault.BAD_REQUEST
    """How nonsense is refused. None: most of it is ignored."""
    weights: tuple[float | None, ...] = (None, None)
    """The used weight in the answer to each probe."""
    status: tuple[str, tuple[Product, ...]] | None = None
    """State and products of announced maintenance. None: no official status."""


SWAP = (100.55, 100.52, 0.0001, None, True)
HOURS = (100.55, 100.52, 0.0001, 8.0, True)
ALL: tuple[Product, ...] = ("linear", "inverse", "spot")
CLOCK = ("token", "server_out_ns")
CLOCKS = ("token", "server_in_ns", "server_out_ns")

_binance = Expected(gone="silent", liquidation="EG", mark=SWAP, weights=(1.0, 3.0))
_okx = Expected(
    book="G", quote="E", trade="E", liquidation="E", mark=(100.55, None, 0.0001, 8.0, True), pong=(), notice=(60.0,),
    quiet_s=60, status=("ongoing", ()),
)  # fmt: skip
_bybit = Expected(liquidation="EG", mark=HOURS, quiet_s=3, nonsense=Fault.UNKNOWN, status=("ongoing", ALL))
_bitget = Expected(liquidation="EG", mark=SWAP, pong=(), weights=(1.0, 1.0))
_gate = Expected(
    liquidation="EG", mark=(100.55, 100.52, 0.0001, None, False), pong=("server_in_ns", "server_out_ns"),
    notice=(10.0,), gone="both", weights=(2.0, 2.0),
)  # fmt: skip
_kucoin = Expected(
    trade="E", mark=HOURS, pong=CLOCK, gone="silent", weights=(2.0, 7.0), status=("ongoing", ("linear",))
)
_htx = Expected(
    liquidation="EG", mark=(100.55, None, 0.0001, None, True), pong=None, quiet_s=5, weights=(1.0, None),
    status=("ongoing", ("linear",)),
)  # fmt: skip
_deribit = Expected(
    book="E", quote="E", trade="E", liquidation="E", mark=(100.55, 100.52, 0.0001, 8.0, False), pong=CLOCKS,
    notice=(None,), quiet_s=10, status=("ongoing", ()),
)  # fmt: skip
_bingx = Expected(
    book="E", trade="E", mark=(100.55, None, None, None, False), quiet_s=5, nonsense=None, weights=(1.0, 1.0)
)
_bitfinex = Expected(
    book="G", quote=None, liquidation="EG", mark=HOURS, pong=CLOCK, notice=(0.0,), quiet_s=15, weights=(None,),
    status=("ongoing", ()),
)  # fmt: skip
_hourly = (100.55, 100.52, 0.0001 / 8, 1.0, True)
_cryptocom = Expected(quote="", trade="E", mark=_hourly, quiet_s=5, status=("scheduled", ()))
_kraken = Expected(
    book="E", quote=None, trade="E", liquidation="E", mark=_hourly, pong=None, quiet_s=1, weights=(None,)
)  # fmt: skip

EXPECTED: dict[str, Expected] = {
    "binance.spot": Expected(
        book="G", quote="", notice=(600.0,), gone="silent", weights=(1.0, 6.0), status=("ongoing", ())
    ),
    "binance.linear": _binance,
    "binance.inverse": _binance,
    "okx.spot": structs.replace(_okx, liquidation=None, mark=None),
    "okx.linear": _okx,
    "okx.inverse": _okx,
    "bybit.spot": structs.replace(_bybit, liquidation=None, mark=None, pong=()),
    "bybit.linear": _bybit,
    "bybit.inverse": _bybit,
    "bitget.spot": structs.replace(_bitget, liquidation=None, mark=None),
    "bitget.linear": _bitget,
    "gate.spot": structs.replace(_gate, liquidation=None, mark=None),
    "gate.linear": _gate,
    "kucoin.spot": structs.replace(_kucoin, mark=None, weights=(3.0, 5.0), status=("ongoing", ("spot",))),
    "kucoin.linear": _kucoin,
    "htx.spot": structs.replace(
        _htx, book="G", liquidation=None, mark=None, weights=(None, None), status=("ongoing", ("spot",))
    ),
    "htx.linear": _htx,
    "mexc.spot": Expected(book="G", quote="G", pong=(), nonsense=Fault.UNKNOWN),
    "mexc.linear": Expected(quote=None, mark=SWAP, pong=("server_out_ns",), nonsense=None),
    "hyperliquid.linear": Expected(
        book="E", quote="E", trade="E", mark=(100.55, 100.52, 0.0001, 1.0, False), pong=(), quiet_s=1,
        status=("ongoing", ()),
    ),
    "deribit.spot": structs.replace(_deribit, mark=None),
    "deribit.linear": _deribit,
    "deribit.inverse": _deribit,
    "bingx.spot": structs.replace(_bingx, book="", quote="G", trade="EG", mark=None),
    "bingx.linear": _bingx,
    "bitfinex.spot": structs.replace(_bitfinex, liquidation=None, mark=None),
    "bitfinex.linear": _bitfinex,
    "cryptocom.spot": structs.replace(_cryptocom, mark=None),
    "cryptocom.linear": _cryptocom,
    "kraken.spot": Expected(
        book="E", quote="E", trade="E", pong=CLOCKS, notice=(None,), quiet_s=1, status=("ongoing", ("spot",))
    ),
    "kraken.linear": _kraken,
    "coinbase.spot": Expected(quote=None, pong=None, quiet_s=1),
}  # fmt: skip


def lines(cell: Cell) -> Iterator[Line]:
    """One Line for each socket that our venue plans for the cell's first instrument, before subscribing."""
    for plan in VENUES[cell.venue].plan(cell.product, instruments(cell)[:1]):
        line = Line(cell.venue, cell.product, plan.label)
        line.world.asks = (("100.60", "5.000"), *line.world.asks[1:])  # some venues count in whole contracts
        yield line


def instruments(cell: Cell) -> list[Instrument]:
    return [instrument_of(sim, cell.facts) for sim in TWINS[cell.venue]().instruments() if sim.product == cell.product]


def beside_one_that_is_gone(cell: Cell, line: Line) -> Instrument:
    """Adds an instrument that is no longer listed to the line's socket, and returns it."""
    gone = gone_beside(instruments(cell))
    both = [gone, line.instrument]
    [line.plan] = [plan for plan in line.venue.plan(line.product, both) if plan.label == line.plan.label]
    line.ours = line.venue.session(line.plan, both)
    return gone


def asked(line: Line, request: RestRequest) -> Answer:
    """The twin's answer to a request of ours."""
    return line.rest(request.path, request.method, (request.body or "").encode())
