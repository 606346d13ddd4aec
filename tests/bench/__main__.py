"""``make bench``: what Detour costs compared with other clients, whether it loses messages, how fast it starts.

    python -m tests.bench [--quick] [pipeline] [venues] [load] [start] [screen]

All of it runs on this machine in one go of a few minutes, over loopback. CPU is user and system time of the whole
client process. "Flood": the socket is always full; "paced": a message now and then, as on live feeds, so that most of
the cost is waking up. Exit code 1 when something could not be run at all, else 0: a missed target is printed but is no
failure, since the machine may be busy.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from feeds.model import venue_of
from feeds.sim.registry import TWINS
from feeds.venues.registry import VENUES
from tests.bench import screen
from tests.bench.load import LEVELS, RATE, load
from tests.bench.market import depth_of
from tests.bench.process import Child, ChildError
from tests.bench.race import BARE, CCXT, CRYPTOFEED, OURS, Course, Field, cores, server, versions, witness_version
from tests.bench.report import FLOOD_TARGETS, PACED_TARGETS, Sheet, frames, ratios, same_frames, spread, verdict
from tests.terminal import ScreenError

COUNTED = Course(40, 3_000, None), Course(40, 2_000, 2_000.0)
"""What the targets are about."""
BESIDES = Course(10, 4_000, None), Course(200, 600, None)
EVERY_ROUTE = Course(40, 600, None)
SECTIONS = ("pipeline", "venues", "load", "start", "screen")


def machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    host, client = cores()
    pinned = f"server on core {host}, client on core {client}" if client else "nothing pinned to a core"
    busy = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; {pinned}{busy}"


def pipeline(sheet: Sheet, host: Child, repeats: int) -> None:
    """Socket to applied book, beside others on the same frames from the same server."""
    route = "binance.linear"
    sheet.line(f"CPU per message, socket to applied book ({route}; median and range of {repeats} rounds)")
    with Field(host, (OURS, BARE, CCXT, CRYPTOFEED)) as field:
        results = field.race(route, (*COUNTED, *BESIDES), repeats)
    for course in (*COUNTED, *BESIDES):
        targets = {} if course in BESIDES else FLOOD_TARGETS if course.rate is None else PACED_TARGETS
        sheet.course(results, course, targets)
    memory = ", ".join(f"{name} {mb:.0f}" for name, mb in results.rss_mb.items())
    sheet.line(f"  memory with one book, MB: {memory}")
    for client, why in results.absent.items():
        sheet.skip(client, why)
    for text in results.complaints:
        sheet.line(f"  ! {text}")


def venues(sheet: Sheet, host: Child, repeats: int) -> None:
    """Every route once beside ccxt.pro; a venue is judged by what one message on each of its routes costs together."""
    sheet.line(f"CPU per message by route ({EVERY_ROUTE.name}; target: a venue's routes together at most a third)")
    with Field(host, (OURS, CCXT)) as field:
        for name, venue in VENUES.items():
            if name not in TWINS:
                sheet.skip(name, "no simulated twin to take frames from")
                continue
            pairs = [pair for product in venue.products if (pair := _route(sheet, field, f"{name}.{product}", repeats))]
            if pairs:
                share = sum(ours for ours, _ in pairs) / sum(theirs for _, theirs in pairs)
                good = share <= FLOOD_TARGETS[CCXT]
                sheet.line(f"    {name}: {share:.2f} of ccxt.pro {verdict(good)}")
                sheet.count(f"{name}: share of ccxt.pro {share:.2f}", good)


def _route(sheet: Sheet, field: Field, route: str, repeats: int) -> tuple[float, float] | None:
    """(ours, ccxt.pro's) median CPU in us; None where one of them is missing."""
    results = field.race(route, (EVERY_ROUTE,), repeats, depth=depth_of(venue_of(route)))
    ours, theirs = results.of(OURS, EVERY_ROUTE), results.of(CCXT, EVERY_ROUTE)
    both = None
    text = f"  {route:<19}"
    if ours:
        text += f" detour {spread([run.cpu_us for run in ours], 1):>19} us"
    if ours and theirs:
        shares = ratios([run.cpu_us for run in ours], [run.cpu_us for run in theirs])
        text += f"  ccxt.pro {spread([run.cpu_us for run in theirs], 1):>22} us  share {spread(shares, 2)}"
        both = statistics.median(run.cpu_us for run in ours), statistics.median(run.cpu_us for run in theirs)
        if not same_frames(ours[0], theirs[0]):
            text += f", other frames: {frames(ours[0])} against {frames(theirs[0])}"
    sheet.line(text)
    for client, why in results.absent.items():
        sheet.skip(f"{client} on {route}", why)
    for complaint in results.complaints:
        sheet.line(f"  ! {complaint}")
    return both


def under_load(sheet: Sheet, host: Child) -> None:
    sheet.line(f"Whole collector at {RATE} msg/s: six routes, {LEVELS}+{LEVELS} levels, paced")
    done = load(host)
    shown = f"{done.lost} of {done.sent}, {done.gaps} gaps, {done.garbled} garbled"
    sheet.check("messages lost", done.lost + done.gaps + done.garbled, 0, shown, "0")
    own = "not known" if done.own_lag_ms is None else f"{done.own_lag_ms:.2f} ms"
    loop = "not known" if done.loop_lag_ms is None else f"{done.loop_lag_ms:.1f} ms"
    sheet.line(
        f"  sent at {done.rate_s:.0f} msg/s; collector {done.cpu_share:.0%} of a core, {done.frames_s:.1f} frames/s, "
        f"{done.rss_mb or 0:.0f} MB"
    )
    sheet.line(f"  own lag p99 of the worst second: socket readable to book applied {own}, event loop {loop}")


def start(sheet: Sheet, repeats: int) -> None:
    sheet.line(f"Start-up (median and range of {repeats})")
    asked = [screen.help_s() for _ in range(repeats)]
    sheet.check("detour --help", statistics.median(asked), 0.3, f"{spread(asked, 2)} s", "< 0.3 s")
    seen = screen.first_frames_s(repeats)
    what = f"first frame on screen ({screen.COLUMNS}x{screen.ROWS}, warm cache)"
    sheet.check(what, statistics.median(seen), 1.5, f"{spread(seen, 2)} s", "< 1.5 s")


def running(sheet: Sheet) -> None:
    sheet.line(f"Live screen at {screen.COLUMNS}x{screen.ROWS}, default settings, 6 routes x 4 symbols, calm scenario")
    used = screen.costs()
    if used is None:
        sheet.skip("CPU and memory of the processes", "this system has no /proc to read them from")
        return
    shown = f"{used.screen.cpu_share:.1%} of a core, {used.screen.rss_mb:.0f} MB"
    sheet.check("screen process", used.screen.cpu_share, 0.15, shown, "<= 15 %")
    for name, usage in (("collector", used.collector), ("simulator", used.simulator)):
        sheet.line(f"  {name + ' process':<52} {usage.cpu_share:.1%} of a core, {usage.rss_mb:.0f} MB")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Detour's figures, as ratios.")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="fewer repeats: a look, not a measurement")
    given = parser.parse_args()
    wanted = given.sections or SECTIONS
    repeats = 2 if given.quick else 5
    sheet = Sheet()
    began_s = time.monotonic()
    sheet.line(f"machine: {machine()}")
    sheet.line(f"compared: {versions()}, {witness_version()}")
    with server() as host:
        parts: dict[str, Callable[[], None]] = {
            "pipeline": lambda: pipeline(sheet, host, repeats),
            "venues": lambda: venues(sheet, host, repeats),
            "load": lambda: under_load(sheet, host),
            "start": lambda: start(sheet, repeats),
            "screen": lambda: running(sheet),
        }
        for name in wanted:
            sheet.line()
            section_s = time.monotonic()
            try:
                parts[name]()
                sheet.line(f"  ({time.monotonic() - section_s:.0f} s)")
            except (ChildError, ScreenError, OSError, ImportError) as error:
                sheet.skip(name, str(error))
    sheet.close()
    sheet.line(f"took {time.monotonic() - began_s:.0f} s")
    return 1 if sheet.not_run else 0


if __name__ == "__main__":
    sys.exit(main())
