"""What KuCoin's two sessions share: requests by the ids that answers repeat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from feeds.model import Ack, Event, Fault, Refusal
from feeds.venues.base import Subscription
from feeds.venues.retry import RetrySchedule


class Requests:
    """One connection's requests by their ids. An id stands for one request for ever, so the table cannot grow."""

    def __init__(self, ids: Mapping[str, tuple[Subscription, bool]]) -> None:
        """``ids``: what each asks for, and whether its answer speaks for the whole channel."""
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
        """Requests again later, a few times: venues refuse what is right while they recover."""
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
    """The token in the id of a ping of ours, ``p17``."""
    text = str(answered)
    digits = text[1:]
    return int(digits) if text[:1] == "p" and digits.isdecimal() and len(digits) < 19 else None
