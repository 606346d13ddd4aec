import socket
import struct
import sys

import pytest

from feeds.transport.tcp_info import parse_darwin, parse_linux, statement, tcp_info


def linux_answer(size: int = 240) -> bytes:
    raw = bytearray(240)
    raw[4] = 2
    struct.pack_into("=II", raw, 68, 25_400, 3_100)
    struct.pack_into("=I", raw, 100, 7)
    struct.pack_into("=I", raw, 148, 21_000)
    struct.pack_into("=I", raw, 224, 5)
    return bytes(raw[:size])


def test_linux_figures_are_read_in_milliseconds() -> None:
    info = parse_linux(linux_answer())
    assert info is not None
    assert (info.srtt_ms, info.rttvar_ms, info.retransmits, info.backoff) == (25.4, 3.1, 7, 2)
    assert (info.min_rtt_ms, info.received_out_of_order) == (21.0, 5)


def test_an_older_kernel_gives_less_and_no_zeros() -> None:
    info = parse_linux(linux_answer(104))
    assert info is not None and info.retransmits == 7
    assert info.min_rtt_ms is None and info.received_out_of_order is None


@pytest.mark.parametrize("size", [0, 8, 103])
def test_a_short_answer_is_none(size: int) -> None:
    assert parse_linux(linux_answer(size)) is None
    assert parse_darwin(bytes(size)) is None


def test_darwin_figures() -> None:
    raw = bytearray(112)
    struct.pack_into("=III", raw, 40, 11, 15, 6)
    struct.pack_into("=Q", raw, 104, 3)
    info = parse_darwin(bytes(raw))
    assert info is not None
    assert (info.srtt_ms, info.rttvar_ms, info.retransmits, info.min_rtt_ms) == (15.0, 6.0, 3, None)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel under test is Linux's")
def test_a_real_connection_has_a_round_trip() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            info = tcp_info(client)
            assert info is not None and 0 < info.srtt_ms < 1000 and info.retransmits == 0
    assert tcp_info(client) is None, "a closed socket has no figures"


def test_what_is_no_tcp_socket_or_no_known_system_has_none() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        assert tcp_info(udp) is None
        assert tcp_info(udp, platform="win32") is None
    assert tcp_info(None) is None


def test_every_system_says_what_it_has() -> None:
    assert "TCP_INFO" in statement("linux")
    assert "TCP_CONNECTION_INFO" in statement("darwin")
    assert "no network round trip" in statement("win32") and "win32" in statement("win32")
