"""A route's REST side: its probes and all its other requests, within one budget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from feeds.measure.probes import Prober
from feeds.measure.route_context import RouteContext
from feeds.model import Instrument
from feeds.transport.requester import Requester
from feeds.venues.base import Answer, RestRequest


class RestSide:
    """Asks one REST host."""

    def __init__(self, context: RouteContext, base_url: str) -> None:
        self._context, self._base_url = context, base_url
        self._probing: asyncio.Task[None] | None = None
        self.requester = Requester(
            context.venue, context.product, base_url, context.meters.clock, dialler=context.dialler
        )

    @property
    def probing(self) -> bool:
        """Whether probes are still sent."""
        return self._probing is not None and not self._probing.done()

    def probe(self, instruments: Sequence[Instrument]) -> None:
        """Probe from now on with what these instruments allow to ask; earlier probing ends."""
        if self._probing is not None:
            self._probing.cancel()
        prober = Prober(
            self._context.route,
            self._context.venue,
            self._context.product,
            self._base_url,
            instruments,
            self._context.meters.emit,
            self._context.meters.clock,
            budget=self.requester.budget,
            offset=self._context.offset,
            dialler=self._context.dialler,
        )
        self._probing = asyncio.create_task(prober.run())

    async def request(self, request: RestRequest) -> Answer:
        """Within the budget. Raises HttpError."""
        return await self.requester.request(request)

    def cancel(self) -> None:
        """Ask nothing more; without waiting for what is under way."""
        if self._probing is not None:
            self._probing.cancel()
        self.requester.close()

    async def stop(self) -> None:
        self.cancel()
        if self._probing is not None:
            await asyncio.gather(self._probing, return_exceptions=True)
