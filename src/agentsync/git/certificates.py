"""Why a server's certificate is not trusted, where git was built with a library that does not report it (GnuTLS)."""

from __future__ import annotations

import socket
import time
from typing import Final
from urllib.parse import urlsplit

from agentsync.git.failures import EXPIRED, OTHER_HOST, UNKNOWN_AUTHORITY, Fault
from agentsync.git.remote import Remote

_MOST_SECONDS: Final = 5.0
_HTTPS_PORT: Final = 443

# X509_V_ERR_* of OpenSSL, in x509_vfy.h.
_FAULTS: Final = {9: EXPIRED, 10: EXPIRED, 62: OTHER_HOST, 64: OTHER_HOST}


def find_fault(remote: Remote, until: float) -> Fault | None:
    """Connect to the server as git did, and return why its certificate is not trusted; None where that is not known.

    Args:
        remote: what was fetched; nothing but a TLS handshake is sent to its server.
        until: the deadline, as a time of the monotonic clock.
    """
    import ssl  # noqa: PLC0415 - slow to import, and hardly ever needed

    parts = urlsplit(remote.url)
    seconds = min(_MOST_SECONDS, until - time.monotonic())
    if remote.auth.proxy or parts.scheme.lower() != "https" or not parts.hostname or seconds <= 0:
        return None
    try:
        context = ssl.create_default_context(cafile=remote.auth.ca_file, capath=remote.auth.ca_directory)
        with (
            socket.create_connection((parts.hostname, parts.port or _HTTPS_PORT), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return _FAULTS.get(error.verify_code, UNKNOWN_AUTHORITY)
    except (OSError, ValueError):
        return None
