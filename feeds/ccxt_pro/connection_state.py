"""ccxt's connection to the venue, as one link: ccxt does not say how many sockets it holds."""

from __future__ import annotations

from feeds.measure.contract import Meters
from feeds.model import Fault
from feeds.samples import LinkSample

LABEL = "ccxt"


class ConnectionState:
    """Emits a sample whenever the connection comes or goes."""

    def __init__(self, route: str, meters: Meters) -> None:
        self._route, self._meters = route, meters
        self.connected: bool | None = None
        """None: nothing is known since the child started."""
        self.reconnects = 0
        self._text = ""
        self._fault: Fault | None = None
        self._was_connected = False

    def up(self, gaps: int) -> None:
        if self.connected is not True:
            self.reconnects += self._was_connected
            self._was_connected = True
            self._change(True, "", None, gaps)

    def down(self, text: str, fault: Fault | None, gaps: int) -> None:
        if self.connected is not False:
            self._meters.log_event("reconnect", self._route, f"connection lost or refused, asking again: {text}")
            self._change(False, text, fault, gaps)

    def forget(self) -> None:
        """The child is gone, so nothing is known. When the next one connects, that is no reconnect of the venue's."""
        self.connected, self._was_connected = None, False

    def _change(self, connected: bool, text: str, fault: Fault | None, gaps: int) -> None:
        self.connected, self._text, self._fault = connected, text, fault
        self._meters.emit(self.sample(gaps))

    def sample(self, gaps: int) -> LinkSample:
        return LinkSample(
            route=self._route,
            t_ns=self._meters.clock.time_ns(),
            mono_ns=self._meters.clock.monotonic_ns(),
            label=LABEL,
            connected=self.connected is True,
            text=self._text,
            fault=self._fault,
            gaps=gaps,
        )
