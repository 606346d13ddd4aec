"""A network namespace of Linux with a broken road: needs root and the ``ip`` command (iproute2).

Nothing outside the namespace is changed, but for a folder ``/etc/netns/NAME`` that is removed at the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

NAME = "detour-hostile"
ETC = Path("/etc/netns") / NAME


def skip_reason() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root"
    if shutil.which("ip") is None:
        return "needs the ip command (iproute2)"
    if subprocess.run(["ip", "netns", "add", NAME], capture_output=True).returncode != 0:
        return "this kernel or container allows no network namespaces"
    subprocess.run(["ip", "netns", "del", NAME], capture_output=True)
    return None


REASON = skip_reason()
needs_namespaces = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def inside(*command: str) -> list[str]:
    return ["ip", "netns", "exec", NAME, *command]


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", "-n", NAME, *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def namespace(*, swallow: bool = False, hosts: Mapping[str, str] | None = None) -> Iterator[None]:
    """A namespace with loopback and no route, or, with ``swallow``, with a default route whose packets all vanish: DNS,
    IPv4 and IPv6 alike. ``hosts``: address -> name, in place of the machine's hosts file."""
    subprocess.run(["ip", "netns", "add", NAME], check=True, capture_output=True)
    try:
        ETC.mkdir(parents=True, exist_ok=True)
        (ETC / "resolv.conf").write_text("nameserver 192.0.2.53\n")
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for address, name in (hosts or {}).items())]
        (ETC / "hosts").write_text("\n".join(lines) + "\n")
        _ip("link", "set", "lo", "up")
        if swallow:
            _ip("link", "add", "hole", "type", "veth", "peer", "name", "nobody")
            _ip("link", "set", "nobody", "up")
            _ip("link", "set", "hole", "up")
            for net, gateway, host in (
                ("192.0.2.2/24", "192.0.2.1", "-4"),
                ("2001:db8:1::2/64", "2001:db8:1::1", "-6"),
            ):
                _ip(host, "addr", "add", net, "dev", "hole", *(["nodad"] if host == "-6" else []))
                _ip(host, "route", "add", "default", "via", gateway)
                # a neighbour that does not exist: packets leave, and nobody answers that nobody is there
                _ip(host, "neigh", "replace", gateway, "lladdr", "02:00:00:00:00:01", "dev", "hole", "nud", "permanent")
            _ip(
                "-4", "neigh", "replace", "192.0.2.53", "lladdr", "02:00:00:00:00:01", "dev", "hole", "nud", "permanent"
            )
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAME], capture_output=True)
        shutil.rmtree(ETC, ignore_errors=True)
