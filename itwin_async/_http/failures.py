"""What aiohttp raises, as an error of ours: what failed, and whether a repetition may help."""

from __future__ import annotations

from typing import TypedDict

import aiohttp

from itwin_async._http.bodies import BodyError
from itwin_async.errors import FailureKind

# What aiohttp raises before a byte of the request has left.
_NEVER_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
)
_TLS = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientConnectorSSLError,
    aiohttp.ServerFingerprintMismatch,
)
_WHO = 407
# The texts of these may quote what was sent or received, headers included.
_LOST: dict[type[Exception], str] = {
    TimeoutError: "no complete answer in time",
    aiohttp.ClientResponseError: "the answer is not valid HTTP",
    aiohttp.ClientPayloadError: "the answer broke off or could not be decompressed",
    aiohttp.ServerDisconnectedError: "the server closed the connection without an answer",
}


class How(TypedDict, total=False):
    """What there is to say of a failure beside its text; see ``TransportError``."""

    sent: bool
    timeout: bool
    retryable: bool
    kind: FailureKind


def describe(problem: Exception) -> tuple[str, How]:
    """Say what went wrong with an attempt."""
    if isinstance(problem, BodyError):
        return str(problem), How(retryable=problem.retryable)
    if isinstance(problem, _NEVER_SENT):
        return _no_connection(problem)
    if isinstance(problem, aiohttp.ClientHttpProxyError):
        advice = "; it asks for credentials" if problem.status == _WHO else ""
        text = f"the proxy refused to connect ({problem.status}){advice}"
        return text, How(sent=False, retryable=problem.status != _WHO, kind="proxy")
    if isinstance(problem, ValueError):
        text = f"the request cannot be sent ({type(problem).__name__})"
        return text, How(sent=False, retryable=False, kind="other")
    for kind, known in _LOST.items():
        if isinstance(problem, kind):
            return known, How(timeout=kind is TimeoutError)
    reason = str(problem) or type(problem).__name__
    return f"the connection was lost: {reason}", How()


def _no_connection(problem: Exception) -> tuple[str, How]:
    if isinstance(problem, TimeoutError):
        return "no connection in time", How(sent=False, timeout=True, kind="connection")
    where = f"{getattr(problem, 'host', '')}:{getattr(problem, 'port', '')}"
    text = f"no connection to {where}"
    kind: FailureKind = "connection"
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        reason = getattr(problem.certificate_error, "verify_message", "") or "no reason given"
        text = (
            f"the TLS certificate of {where} is not trusted: {reason}; to trust another CA, "
            "set ssl= to ssl.create_default_context(cafile=...), or ITWIN_CA_FILE"
        )
    elif isinstance(problem, aiohttp.ServerFingerprintMismatch):
        text = f"the TLS certificate of {where} does not have the fingerprint set with ssl="
    elif isinstance(problem, aiohttp.ClientConnectorError):
        reason = problem.os_error.strerror or str(problem.os_error) or "no reason given"
        if isinstance(problem, aiohttp.ClientConnectorSSLError):
            text = f"no TLS connection to {where}: {reason}; check base_url, proxy and ssl="
        elif isinstance(problem, aiohttp.ClientConnectorDNSError):
            text, kind = f"cannot resolve the host of {where}: {reason}", "dns"
        elif isinstance(problem, aiohttp.ClientProxyConnectionError):
            text, kind = f"no connection to the proxy {where}: {reason}", "proxy"
        else:
            text = f"no connection to {where}: {reason}"
    if isinstance(problem, _TLS):
        return text, How(sent=False, retryable=False, kind="tls")
    return text, How(sent=False, kind=kind)
