"""What both KuCoin sessions share: subscription requests by their ids, which answers repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from feeds.model import Ack, Event, Fault, Refusal
from feeds.venues.base import Subscription
from feeds.venues.retry import RetrySchedule


class Requests:
    """The requests of one connection by id. An id always means the same request, so the table does not grow."""

    def __init__(self, ids: Mapping[str, tuple[Subscription, bool]]) -> None:
        """``ids``: the subscription of each request, and whether its answer counts for the whole channel."""
        self._ids = ids
        self._retries = RetrySchedule()

    def accepted(self, answered: str | int | None) -> Sequence[Event]:
        asked = self._ids.get(str(answered))
        if asked is None:  # an unsubscription
            return ()
        self._retries.accepted(str(answered))
        subscription, leads = asked
        return (Ack(channel=subscription.channel, symbol=subscription.symbol),) if leads else ()

    def refused(
        self, answered: str | int | None, fault: Fault, code: str, text: str, received_ns: int
    ) -> Sequence[Event]:
        """The request is repeated later, a few times: KuCoin refuses valid requests while it recovers."""
        asked = self._ids.get(str(answered))
        subscription, leads = (None, False) if asked is None else asked
        if asked is not None:
            self._retries.schedule(str(answered), received_ns)
        if subscription is None or not leads:
            return (Refusal(fault=fault, code=code, text=text[:200]),)
        return (
            Refusal(channel=subscription.channel, symbol=subscription.symbol, fault=fault, code=code, text=text[:200]),
        )

    def due(self, received_ns: int) -> Iterable[str]:
        """Ids of the requests to repeat now."""
        return self._retries.take_due(received_ns) if received_ns >= self._retries.due_ns else ()


def token_of(answered: str | int | None) -> int | None:
    """The token in the id of one of our pings, ``p17`` -> 17."""
    text = str(answered)
    digits = text[1:]
    return int(digits) if text[:1] == "p" and digits.isdecimal() and len(digits) < 19 else None
