"""One store of certificates; what is wrong with it, or with a venue's certificate, is a sentence."""

import asyncio
import ssl
from pathlib import Path

import pytest

from feeds.clock import SystemClock
from feeds.model import Fault
from feeds.transport.dialling import Dialler
from feeds.transport.trust import TrustError, make_trust, why_untrusted
from feeds.transport.websocket import DialError, dial
from tests.feeds.certificates import make_certificate, needs_openssl
from tests.feeds.loopback import upgrade
from tests.feeds.transport.test_websocket import Heard


def test_a_file_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match=r"^SSL_CERT_FILE is '.*missing\.pem', and there is no such file: set it"):
        make_trust(str(tmp_path / "missing.pem"), None)
    with pytest.raises(TrustError, match=r"^SSL_CERT_DIR names '.*missing', and there is no such folder"):
        make_trust(None, f"{tmp_path / 'missing'}")
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    with pytest.raises(TrustError, match="cannot be read as PEM certificates"):
        make_trust(str(rubbish), None)


def test_without_the_variables_the_systems_store_is_used() -> None:
    for empty in (None, ""):
        context = make_trust(empty, empty)
        assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (19, "behind a company's TLS inspection set SSL_CERT_FILE to its CA"),
        (20, "behind a company's TLS inspection set SSL_CERT_FILE to its CA"),
        (10, "is this machine's clock right?"),
        (62, "is for another host: a login page or a filter"),
    ],
)
def test_each_kind_of_failure_says_what_to_do(code: int, words: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, "what openssl\x1b says"
    text = why_untrusted(error)
    assert text.startswith("its certificate ") and words in text and "\x1b" not in text


@needs_openssl
async def test_a_websocket_with_a_certificate_of_nobody_known_is_not_the_venues_failure(tmp_path: Path) -> None:
    cert, context = await asyncio.to_thread(make_certificate, tmp_path)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await upgrade(reader, writer)
            await reader.read()
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    url = f"wss://localhost:{server.sockets[0].getsockname()[1]}/ws"
    try:
        with pytest.raises(DialError, match="its certificate is not trusted here") as caught:
            await dial(url, Heard(), now_s=0)
        assert (caught.value.phase, caught.value.fault) == ("certificate", Fault.CERTIFICATE)
        trusting = Dialler(SystemClock(), tls=make_trust(str(cert), None))
        opened = await dial(url, Heard(), now_s=0, dialler=trusting)
        opened.transport.abort()
        await opened.wait_closed()
        await asyncio.sleep(0.05)
    finally:
        server.close()
        await server.wait_closed()
