"""Runs a collector: reads the configuration, starts a simulator if asked, opens log and link, ends on signals.

``python -m feeds.collector.main`` is the collector process of a live screen. Headless commands call ``collect``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from feeds import __version__, child_process, stderr, stdio
from feeds.collector.collector import Collector
from feeds.collector.simulated import Simulation, SimulatorError, start_simulator
from feeds.config.checks import ConfigError
from feeds.config.load import Config, load_config
from feeds.config.watchlists import Watchlist, guess_symbol, product_of
from feeds.frame import Frame
from feeds.model import Side
from feeds.publish import link
from feeds.publish.log_file import LogFile
from feeds.publish.log_target import STDOUT
from feeds.publish.row_writer import News
from feeds.transport.proxies import ProxySettingError, check_road
from feeds.transport.trust import TrustError

SERVE_HINT = "screens may attach: detour attach {address}"


class OrderOverride(Struct, frozen=True, kw_only=True):
    """One order instead of the watchlist's: its symbol, on every route that can list it."""

    symbol: str
    side: Side
    notional: float


class Options(Struct, frozen=True, kw_only=True):
    config_path: Path | None = None
    watchlist: str | None = None
    sim: str | None = None
    """A scenario's name or file; None measures the internet."""
    speed: float = 1.0
    address: link.Address | None = None
    """Where screens attach."""
    announce: bool = False
    """Print on stderr where screens attach."""
    order: OrderOverride | None = None
    out: str | None = None
    every_s: float = 1.0
    for_s: float | None = None
    with_parent: bool = False
    """End when our standard input ends."""


class UserError(Exception):
    """Bad input; the text is one sentence for the user."""


def settings(options: Options) -> Config:
    """The user's configuration with the command's watchlist. Raises UserError."""
    try:
        read = load_config(options.config_path)
        chosen = read.chosen(options.watchlist)
        check_road(read.proxies)
    except (ConfigError, TrustError, ProxySettingError) as error:
        raise UserError(str(error)) from error
    if options.order is not None:
        chosen = _only(chosen, options.order)
    return msgspec.structs.replace(read, watchlist=chosen.name, watchlists={**read.watchlists, chosen.name: chosen})


def _only(watchlist: Watchlist, order: OrderOverride) -> Watchlist:
    """The watchlist with this one order, on all of its product's routes; its home stays. Raises UserError."""
    product = product_of(order.symbol)
    if product is None:
        near = guess_symbol(order.symbol)
        hint = f"; did you mean {near}?" if near else ", such as BTC/USDT or BTC/USDT:USDT"
        raise UserError(f"{order.symbol!r} is not a symbol{hint}")
    routes = tuple(r for r in watchlist.routes if r.endswith(f".{product}"))
    if not routes:
        raise UserError(f"watchlist {watchlist.name!r} has no {product} route to ask about {order.symbol}")
    # spot books give the stablecoin basis, which routes in other dollar currencies are compared through
    routes += tuple(r for r in watchlist.routes if r.endswith(".spot") and r not in routes)
    return msgspec.structs.replace(
        watchlist, symbols=(order.symbol,), routes=routes, notionals=(order.notional,), side=order.side
    )


class _End:
    """Why and when the measuring ends."""

    def __init__(self) -> None:
        self.why = "interrupted"
        self.told = asyncio.Event()

    def now(self, why: str) -> None:
        if not self.told.is_set():
            self.why = why
            self.told.set()

    def after(self, stack: contextlib.AsyncExitStack, wait: Callable[[], Awaitable[object]], why: str) -> None:
        """Ends when ``wait`` returns."""

        async def waiting() -> None:
            await wait()
            self.now(why)

        task = asyncio.ensure_future(waiting())
        stack.callback(task.cancel)


async def collect(
    options: Options, each: Callable[[Frame], None] | None = None, until: Callable[[Frame], bool] | None = None
) -> int:
    """Measures until interrupted, until ``for_s`` is over, or until ``until`` says so. Raises UserError.

    Exit code 1: the last rows could not be written.
    """
    configuration = settings(options)
    end = _End()
    listeners = _Listeners(options, end)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(listeners.close)
        listeners.open_log()
        simulation: Simulation | None = None
        if options.sim is not None:
            try:
                child, simulation = await start_simulator(options.sim, options.speed)
            except SimulatorError as error:
                raise UserError(str(error)) from error
            stack.push_async_callback(child.end)
            end.after(stack, child.wait, "the simulator has ended")
        collector = Collector(configuration, simulation=simulation)
        await listeners.join(collector)
        if each is not None:
            collector.sinks.append(each)
        if until is not None:
            collector.sinks.append(lambda frame: end.now("answered") if until(frame) else None)
        if options.with_parent:
            end.after(stack, child_process.parent_gone, "the screen has ended")
        if options.for_s is not None:
            asyncio.get_running_loop().call_later(options.for_s, end.now, "its time is over")
        with _signals(end, listeners):
            running = asyncio.create_task(collector.run())
            waiting = asyncio.create_task(end.told.wait())
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done():
                await running  # a bug: raised here
            # first, so that nobody who listens waits for venues to answer
            await listeners.close()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    return 1 if listeners.lost_rows else 0


class _Listeners:
    """The log and the link of one run: opened, joined to the collector, closed together."""

    def __init__(self, options: Options, end: _End) -> None:
        self._options, self._end = options, end
        self._collector: Collector | None = None
        self._server: link.Server | None = None
        self._log: LogFile | None = None
        self.lost_rows = 0
        """Rows that were still not written at the end."""

    def open_log(self) -> None:
        """Before anything else is started: a wrong place is said at once. Raises UserError."""
        out, serving = self._options.out, self._options.address is not None
        if out is None:
            return
        if out in STDOUT and stdio.STDOUT in stdio.closed_at_start():
            if serving:
                return
            raise UserError("stdout is closed: name a file with --out PATH")
        loop = asyncio.get_running_loop()

        def reader_gone() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed already
                loop.call_soon_threadsafe(self._reader_gone)

        try:
            self._log = LogFile(out, self._options.every_s, __version__, tell=self._tell, gone=reader_gone)
        except OSError as error:
            raise UserError(f"--out {out}: {error.strerror}") from error

    def _reader_gone(self) -> None:
        if self._server is None:
            self._end.now("nobody reads the rows any more")
        else:
            self._tell(("warning", "log stdout: its reader has gone; screens may still attach"))

    def _tell(self, news: News) -> None:
        if self._collector is not None:
            self._collector.tell(*news)

    async def join(self, collector: Collector) -> None:
        """Raises UserError where screens cannot be served."""
        self._collector = collector
        if self._log is not None:
            collector.sinks.append(self._log.frame)
        address = self._options.address
        if address is not None:
            server = link.Server(collector.history, collector.command)
            try:
                await server.start(address)
            except link.LinkError as error:
                raise UserError(str(error)) from error
            self._server = server
            collector.sinks.append(server.publish)
            if self._options.announce:
                stderr.say(SERVE_HINT.format(address=address))

    def reopen_log(self) -> bool:
        """False where there is no file to open again."""
        if self._log is None or self._options.out in STDOUT:
            return False
        self._log.reopen()
        return True

    async def close(self) -> None:
        """Both at the same time: each may have a listener that takes nothing. Again does nothing."""
        log, server, self._log, self._server = self._log, self._server, None, None
        closing: list[Awaitable[None]] = []
        if log is not None:
            closing.append(self._close_log(log))
        if server is not None:
            closing.append(server.close(self._end.why))
        await asyncio.gather(*closing)

    async def _close_log(self, log: LogFile) -> None:
        rows, why = await log.close()
        self.lost_rows += rows
        if rows:
            stderr.say(f"--out {self._options.out}: the last {rows} rows were not written: {why}")


@contextlib.contextmanager
def _signals(end: _End, listeners: _Listeners) -> Iterator[None]:
    """SIGINT and SIGTERM end; SIGHUP opens a log file again, and ends where there is none."""
    loop = asyncio.get_running_loop()
    handled: list[int] = []

    def hang_up() -> None:
        if not listeners.reopen_log():
            end.now("interrupted")

    actions: dict[str, Callable[[], None]] = {
        "SIGINT": lambda: end.now("interrupted"),
        "SIGTERM": lambda: end.now("interrupted"),
        "SIGHUP": hang_up,
    }
    for name, action in actions.items():
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):  # nohup
            continue
        try:
            loop.add_signal_handler(number, action)
        except (NotImplementedError, RuntimeError):  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
            continue
        handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def run(
    options: Options, each: Callable[[Frame], None] | None = None, until: Callable[[Frame], bool] | None = None
) -> int:
    """``collect`` on uvloop where it is installed. Exit code 2, with one sentence on stderr, on bad input."""
    logging.basicConfig(handlers=[stderr.LogHandler()], level=logging.WARNING, format="%(message)s")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(collect(options, each, until))
    except UserError as error:
        stderr.say(str(error))
        return 2


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="feeds.collector.main", description="The collector process of a live screen.")
    parser.add_argument("--link", required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--watchlist")
    parser.add_argument("--sim")
    parser.add_argument("--speed", type=float, default=1.0)
    given = parser.parse_args(argv)
    return run(
        Options(
            config_path=given.config,
            watchlist=given.watchlist,
            sim=given.sim,
            speed=given.speed,
            address=link.parse_address(given.link),
            with_parent=True,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
