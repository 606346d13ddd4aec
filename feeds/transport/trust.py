"""Which certificates are trusted: one store for probes, websockets and instruments.

The system's authorities, or those of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` where they are set (OpenSSL's variables; on
Windows they come beside the system's). A Python without any store takes certifi's.
"""

from __future__ import annotations

import functools
import os
import ssl
from pathlib import Path

import certifi

FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
MOST_WRAPPED = 20
_EXPIRED, _NOT_YET, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64
"""OpenSSL's X509_V_ERR_*."""


class TrustError(ValueError):
    """The certificates cannot be read; the text is one sentence for the user."""


@functools.lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """Loaded once: reading a store costs tens of milliseconds. Raises TrustError."""
    return make_trust(os.environ.get(FILE), os.environ.get(FOLDER))


def make_trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    """``file`` and ``folder`` as the variables say; empty counts as not set. Raises TrustError."""
    if file and not Path(file).is_file():
        raise TrustError(f"{FILE} is {file!r}, and there is no such file: set it to your CA's PEM file, or unset it.")
    for one in folder.split(os.pathsep) if folder else ():
        if one and not Path(one).is_dir():
            raise TrustError(f"{FOLDER} names {one!r}, and there is no such folder: correct it, or unset it.")
    context = ssl.create_default_context()
    try:
        if file or folder:
            context.load_verify_locations(file or None, _first(folder))
    except (ssl.SSLError, OSError) as error:
        raise TrustError(f"{FILE} is {file!r}, which cannot be read as PEM certificates ({_reason(error)}).") from None
    if not file and not folder and not context.cert_store_stats()["x509_ca"] and not _has_default_store():
        context.load_verify_locations(certifi.where())
    return context


def _first(folder: str | None) -> str | None:
    return next((one for one in (folder or "").split(os.pathsep) if one), None)


def _has_default_store() -> bool:
    """Folders of certificates are read when needed, so a context does not count them."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile is not None or (paths.capath is not None and any(Path(paths.capath).iterdir()))


def _reason(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


def certificate_error(error: object) -> ssl.SSLCertVerificationError | None:
    """The certificate's failure behind an error, which libraries wrap several times; None: it is another one."""
    seen: list[object] = []
    waiting = [error]
    while waiting and len(seen) < MOST_WRAPPED:
        one = waiting.pop()
        if isinstance(one, ssl.SSLCertVerificationError):
            return one
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return None


def why_untrusted(error: BaseException) -> str:
    """What is wrong with a certificate that did not verify, and what to do: one clause for the user."""
    code, said = getattr(error, "verify_code", 0), str(getattr(error, "verify_message", "") or "it does not verify")
    said = "".join(c if c.isprintable() else " " for c in said)[:100]
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return "its certificate is for another host: a login page or a filter may be answering in its place"
    if code in (_EXPIRED, _NOT_YET):
        return f"its certificate is not valid at this time ({said}): is this machine's clock right?"
    return f"its certificate is not trusted here ({said}): behind a company's TLS inspection set {FILE} to its CA"
