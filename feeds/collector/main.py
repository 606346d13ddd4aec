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

from feeds import __version__, child_process
from feeds.collector.collector import Collector
from feeds.collector.simulated import Simulation, SimulatorError, start_simulator
from feeds.config.checks import ConfigError
from feeds.config.load import Config, load_config
from feeds.config.watchlists import Watchlist, guess_symbol, product_of
from feeds.frame import Frame
from feeds.model import Side
from feeds.publish import link
from feeds.publish.jsonl import LogFile
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


async def collect(
    options: Options, each: Callable[[Frame], None] | None = None, until: Callable[[Frame], bool] | None = None
) -> int:
    """Measures until interrupted, until ``for_s`` is over, or until ``until`` says so. Raises UserError."""
    configuration = settings(options)
    ended = asyncio.Event()
    why = ["interrupted"]
    async with contextlib.AsyncExitStack() as stack:
        simulation: Simulation | None = None
        if options.sim is not None:
            try:
                child, simulation = await start_simulator(options.sim, options.speed)
            except SimulatorError as error:
                raise UserError(str(error)) from error
            stack.push_async_callback(child.end)
            _end_after(stack, child.wait(), ended, why, "the simulator has ended")
        collector = Collector(configuration, simulation=simulation)
        if options.address is not None:
            server = link.Server(collector.history, collector.command)
            try:
                await server.start(options.address)
            except link.LinkError as error:
                raise UserError(str(error)) from error
            stack.push_async_callback(lambda: server.close(why[0]))
            collector.sinks.append(server.publish)
            if options.announce:
                print(SERVE_HINT.format(address=options.address), file=sys.stderr, flush=True)
        if options.out is not None:
            log = _open_log(options)
            stack.callback(log.close)
            collector.sinks.append(log.frame)
        if each is not None:
            collector.sinks.append(each)
        if until is not None:
            collector.sinks.append(lambda frame: ended.set() if until(frame) else None)
        if options.with_parent:
            _end_after(stack, child_process.parent_gone(), ended, why, "the screen has ended")
        if options.for_s is not None:
            asyncio.get_running_loop().call_later(options.for_s, ended.set)
        with _ended_by_signals(ended):
            running = asyncio.create_task(collector.run())
            waiting = asyncio.create_task(ended.wait())
            await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done():
                await running  # a bug or a closed pipe: raised here
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    return 0


def _open_log(options: Options) -> LogFile:
    assert options.out is not None
    try:
        return LogFile(options.out, options.every_s, __version__)
    except OSError as error:
        raise UserError(f"--out {options.out}: {error.strerror}") from error


def _end_after(
    stack: contextlib.AsyncExitStack, awaited: Awaitable[object], ended: asyncio.Event, why: list[str], reason: str
) -> None:
    async def wait() -> None:
        await awaited
        why[0] = reason
        ended.set()

    task = asyncio.ensure_future(wait())
    stack.callback(task.cancel)


@contextlib.contextmanager
def _ended_by_signals(ended: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, ended.set)
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
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="detour: %(message)s")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(collect(options, each, until))
    except UserError as error:
        print(f"detour: {error}", file=sys.stderr)
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
