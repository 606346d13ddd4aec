"""One of our sessions connected to a session of its venue's twin, without time or sockets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl, urlsplit

from msgspec import structs

from feeds.books.book import Book, Outcome
from feeds.model import BookDelta, BookSnapshot, Event, Garbled, Instrument, Product, Refusal, Reply, Unknown
from feeds.sim.registry import TWINS
from feeds.sim.twin import Close, Out, ReadsHeaders, SimInstrument, Twin, TwinSession
from feeds.venues.base import Answer, Session
from feeds.venues.registry import VENUES
from tests.feeds.sim.fixed_world import FixedWorld, request


class Line:
    """A route's first instrument, both sides of one connection, and the book made of the messages."""

    def __init__(
        self, name: str, product: Product, label: str = "", world: Callable[[Twin], FixedWorld] = FixedWorld
    ) -> None:
        """``label`` names one of the sockets that our venue plans; "" means the only one."""
        self.venue, self.product = VENUES[name], product
        self.twin = TWINS[name]()
        self.world = world(self.twin)
        self.sim: SimInstrument = self.world.instruments(name, product)[0]
        self.instrument = Instrument(
            route=self.sim.route,
            symbol=self.sim.symbol,
            venue_id=self.sim.venue_id,
            base=self.sim.base,
            quote=self.sim.quote,
            tick=float(self.sim.tick),
            lot=float(self.sim.lot),
            contract_size=float(self.sim.contract_size),
            taker_fee=float(self.sim.taker_fee),
        )
        [plan] = [p for p in self.venue.plan(product, [self.instrument]) if label in ("", p.label)]
        self.plan = plan
        token = None if plan.handshake is None else self.rest(plan.handshake.path, plan.handshake.method)
        url = urlsplit(self.venue.dial_url(plan, "ws://loopback", token))
        opened = self.twin.open(product, url.path, dict(parse_qsl(url.query)), self.world)
        assert opened is not None
        if isinstance(opened, ReadsHeaders):
            opened.handshake({name.lower(): value for name, value in plan.headers.items()})
        self.theirs: TwinSession = opened
        self.ours: Session = self.venue.session(plan, [self.instrument])
        self.greeting = self.theirs.opened(self.world.ns)
        self.book = Book(self.instrument, self.venue.rule(product))

    def start(self) -> list[Event]:
        """All events up to the first data: from the twin's greeting, if it sends one, and our subscriptions."""
        return [*self.deliver(self.greeting), *self.send(self.ours.subscribe())]

    def send(self, payloads: Sequence[str | bytes]) -> list[Event]:
        """Events of the twin's answers to these payloads, our replies to them included."""
        events: list[Event] = []
        for payload in payloads:
            raw = payload if isinstance(payload, bytes) else payload.encode()
            events += self.deliver(self.theirs.receive(raw, self.world.ns))
        return events

    def deliver(self, frames: Sequence[Out]) -> list[Event]:
        events: list[Event] = []
        for frame in frames:
            assert not isinstance(frame, Close)
            raw = frame if isinstance(frame, bytes) else frame.encode()
            for event in self.ours.receive(raw, self.world.ns):
                if isinstance(event, Reply):
                    events += self.send([event.payload])
                else:
                    events.append(event)
        return events

    def apply(self, events: Sequence[Event]) -> list[Outcome]:
        """Outcomes of the book messages among the events."""
        return [self.book.apply(e, self.world.ns) for e in events if isinstance(e, BookSnapshot | BookDelta)]

    def rest(self, path: str, method: str = "GET", body: bytes = b"") -> Answer:
        """The twin's answer to a path with its query."""
        path, _, query = path.partition("?")
        fields = dict(part.split("=") for part in query.split("&") if part)
        asked = structs.replace(request(path, fields, self.product), method=method, body=body)
        response = self.twin.rest(asked, self.world)
        assert response is not None
        answered = response.body if isinstance(response.body, bytes) else response.body.encode()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status, headers=headers, body=answered)


def unexpected(events: Sequence[Event]) -> list[Event]:
    return [e for e in events if isinstance(e, Unknown | Garbled | Refusal)]
