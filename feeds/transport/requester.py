"""REST requests other than probes, within the route's budget."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

from feeds.clock import SECOND, Clock
from feeds.model import Fault, Product
from feeds.transport.backoff import retry_after_s
from feeds.transport.dialling import Dialler
from feeds.transport.http import HttpClient
from feeds.transport.rest_budget import RestBudget, learn
from feeds.venues.answers import http_fault
from feeds.venues.base import Answer, ProbeReading, RestRequest, Venue

MAX_BOOK_BODY = 16 * 1024 * 1024


class Requester:
    """Book snapshots, status, transfers and websocket tokens, a few at a time."""

    def __init__(
        self,
        venue: Venue,
        product: Product,
        base_url: str,
        clock: Clock,
        *,
        budget: RestBudget | None = None,
        concurrency: int = 2,
        timeout_s: float = 10.0,
        dialler: Dialler | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``budget``: that of the route's ``Prober``, so that both back off together."""
        self.budget = budget or RestBudget(venue.products[product].rest_limit)
        self._clock, self._timeout_s, self._sleep = clock, timeout_s, sleep
        self._base, self._published = base_url, base_url == venue.products[product].rest
        self._client = functools.partial(
            HttpClient, clock=clock, dialler=dialler, max_body=MAX_BOOK_BODY, keep=concurrency
        )
        self._clients = {base_url: self._client(base_url)}
        self._slots = asyncio.Semaphore(concurrency)

    async def request(self, request: RestRequest) -> Answer:
        """The venue's answer, whatever its status. Waits for the budget. Raises HttpError."""
        async with self._slots:
            while (wait_s := self.budget.request_wait_s(request.weight, self._now_s())) > 0:
                await self._sleep(wait_s)
            self.budget.request_spent(request.weight, self._now_s())
            answer = (await self._client_of(request).exchange(request, timeout_s=self._timeout_s)).answer
        after_s = retry_after_s(answer.headers.get("retry-after"), self._clock.time_ns() / SECOND)
        fault = http_fault(answer)
        # A good answer here does not end a hold. Only probes do that: the venue's file reads their bodies.
        if fault is Fault.OUR_LIMIT:
            learn(self.budget, ProbeReading(fault=fault), after_s, self._now_s())
        return answer

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client_of(self, request: RestRequest) -> HttpClient:
        """Where the base URL was replaced, it serves every host of the venue: a simulation never asks the real one."""
        base = request.host if request.host is not None and self._published else self._base
        if base not in self._clients:
            self._clients[base] = self._client(base)
        return self._clients[base]

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / SECOND
