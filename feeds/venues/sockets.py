"""Spreading a route's subscriptions over sockets and messages, within the venue's limits for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from feeds.model import Channel, Instrument, Product
from feeds.venues.base import RestRequest, SocketPlan, Subscription

T = TypeVar("T")


class SocketKind(Struct, frozen=True, kw_only=True):
    """One socket of a route: where it is opened and which channels it carries."""

    path: str
    label: str = "public"
    channels: Sequence[Channel]
    """Subscribed once for each instrument."""
    product_channels: Sequence[Channel] = ()
    """Subscribed once for the whole product, on the first socket of this kind."""
    handshake: RestRequest | None = None
    headers: Mapping[str, str] = {}


def plan_sockets(
    product: Product,
    instruments: Sequence[Instrument],
    kinds: Sequence[SocketKind],
    room: int,
    cost: Callable[[Instrument], int] = lambda instrument: 1,
) -> list[SocketPlan]:
    """One socket of every kind for each group of instruments.

    ``room``: what fits on one socket, in units of ``cost``. By default an instrument costs 1, so that ``room`` is the
    number of instruments per socket. The second socket of a kind is labelled ``public-2``, and so on.
    """
    return [
        SocketPlan(
            product=product,
            label=kind.label if number == 1 else f"{kind.label}-{number}",
            path=kind.path,
            subscriptions=(
                *(Subscription(channel, instrument.symbol) for instrument in group for channel in kind.channels),
                *(Subscription(channel, None) for channel in kind.product_channels if number == 1),
            ),
            handshake=kind.handshake,
            headers=kind.headers,
        )
        for number, group in enumerate(_groups(instruments, room, cost), start=1)
        for kind in kinds
    ]


def _groups(
    instruments: Sequence[Instrument], room: int, cost: Callable[[Instrument], int]
) -> Sequence[Sequence[Instrument]]:
    """Instruments in their order, cut into groups that cost at most ``room`` (one that costs more stands alone)."""
    groups: list[list[Instrument]] = []
    left = 0
    for instrument in instruments:
        if not groups or cost(instrument) > left:
            groups.append([])
            left = room
        left -= cost(instrument)
        groups[-1].append(instrument)
    return groups


def batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Items in their order, in slices of at most ``size``: the subscriptions of one message each."""
    return [items[start : start + size] for start in range(0, len(items), size)]
