"""A certificate made on the spot, for an emulator that speaks TLS."""

from __future__ import annotations

import ssl

_MISSING = "TLS needs the package trustme: pip install 'itwin-async[testing]'"


class Certificate:
    """
    A certificate for a host and this machine, and the authority that signed it.

    Args:
        host: the address that the server listens on.

    Raises:
        RuntimeError: the package trustme is not installed.

    """

    def __init__(self, host: str) -> None:
        try:
            import trustme  # noqa: PLC0415 - an extra
        except ImportError:
            raise RuntimeError(_MISSING) from None
        authority = trustme.CA()
        names = dict.fromkeys(("localhost", "127.0.0.1", "::1", host))
        issued = authority.issue_cert(*names)
        self.authority_pem = authority.cert_pem.bytes()
        self.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self.server_context)

    def client_context(self) -> ssl.SSLContext:
        """Return what a client trusts this certificate with, and no other."""
        return ssl.create_default_context(cadata=self.authority_pem.decode())
