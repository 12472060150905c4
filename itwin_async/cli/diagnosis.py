"""What ``itwin-async doctor`` checks, one function a matter."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Literal, TypeAlias
from urllib.request import getproxies, proxy_bypass

import aiohttp
import attrs
from yarl import URL

from itwin_async import imodels, itwins
from itwin_async._http.credentials import Credentials
from itwin_async._http.network import CA_FILE, OF_PYTHON
from itwin_async._http.urls import shown
from itwin_async.auth._environment import Credentials as Found
from itwin_async.auth._environment import find_credentials
from itwin_async.auth._tokens import read_claims
from itwin_async.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    ITwinError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    TransportError,
)
from itwin_async.session import Session

Status: TypeAlias = Literal["ok", "warn", "fail", "skip"]

_SCOPE = "itwin-platform"
_SKEW = 60.0  # seconds; tokens are valid from the very second of their issue
_SOON = 300.0
_SIGN_IN = (
    "sign in with 'itwin-async login', or set ITWIN_ACCESS_TOKEN, or ITWIN_CLIENT_ID and "
    "ITWIN_CLIENT_SECRET"
)
_MEMBER = (
    "add the user, or the service by its client id, to the iTwin as a member: a service that sees "
    "its permissions but gets 404 on the iTwin is not a member"
)


@attrs.frozen
class Check:
    """
    What came of a check.

    Attributes:
        name: what was checked.
        status: ``"skip"`` where it could not be checked.
        found: what was found, for people.
        advice: what to do about it; empty where nothing is to be done.

    """

    name: str
    status: Status
    found: str
    advice: str = ""


class Clock:
    """Compares this machine's clock with the ``Date`` of the answers of a session."""

    def __init__(self) -> None:
        self.skew: float | None = None

    def trace(self) -> aiohttp.TraceConfig:
        """Make what observes the answers."""
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._compare)
        return trace

    async def _compare(
        self, _: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams
    ) -> None:
        try:
            date = parsedate_to_datetime(end.response.headers.get("Date", ""))
        except ValueError:
            return
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        self.skew = time.time() - date.timestamp()


async def checks_of_token() -> list[Check]:
    """Check the credentials of the environment, and what their token says about itself."""
    try:
        found = find_credentials()
        secret = (await Credentials(found.source).current()).secret
    except ConfigurationError as problem:  # it says what to do
        return [Check("token", "fail", str(problem))]
    except ITwinError as problem:
        return [Check("token", "fail", str(problem), _SIGN_IN)]
    claims = read_claims(secret)
    return [_token(found, claims), _scopes(claims)]


async def checks_of_platform(
    session: Session, clock: Clock, *, usable: bool, itwin_id: str | None, imodel_id: str | None
) -> list[Check]:
    """
    Check the connection, and what the platform lets the user do.

    Args:
        session: a session whose answers the clock sees.
        clock: the clock.
        usable: whether the session's token is worth trying.
        itwin_id: iTwin of the context.
        imodel_id: iModel of the context.

    """
    problem: ITwinError | None = None
    try:
        await itwins.list_favorites(session, page_size=1)
    except ITwinError as error:
        problem = error
    checks = [
        _proxy(session.base_url),
        _certificates(),
        _host(session.base_url, problem),
        _clock(clock.skew),
    ]
    if isinstance(problem, TransportError):
        return checks
    if not usable:
        return [*checks, Check("access", "skip", "there is no token to try")]
    checks.append(_access(problem))
    if checks[-1].status == "fail":
        return checks
    itwin = await _itwin(session, itwin_id)
    return [*checks, itwin, await _imodel(session, imodel_id, itwin)]


def _token(found: Found, claims: Mapping[str, object]) -> Check:
    issuer, end = claims.get("iss"), claims.get("exp")
    what = found.description
    if isinstance(issuer, str) and issuer.rstrip("/") != found.platform.issuer.rstrip("/"):
        return Check(
            "token",
            "fail",
            f"{what} is of {shown(issuer)}, but {found.platform.base_url} expects one of "
            f"{found.platform.issuer}",
            "set ITWIN_ENVIRONMENT to prod, qa or dev, or get a token of the right sign-in server",
        )
    if isinstance(end, bool) or not isinstance(end, int | float):
        return Check("token", "ok", f"{what}; it does not say until when it is valid")
    left = end - time.time()
    until = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if left <= 0:
        return Check("token", "fail", f"{what} expired at {until}", f"get another one: {_SIGN_IN}")
    if left < _SOON:
        advice = f"get another one soon: {_SIGN_IN}"
        return Check("token", "warn", f"{what} expires in {left:.0f} seconds", advice)
    return Check("token", "ok", f"{what}, valid until {until}")


def _scopes(claims: Mapping[str, object]) -> Check:
    value = claims.get("scope", claims.get("scopes"))
    scopes = value.split() if isinstance(value, str) else value
    if not isinstance(scopes, list):
        return Check("scopes", "skip", "the token does not say which scopes it has")
    text = " ".join(map(str, scopes))
    if _SCOPE in scopes:
        return Check("scopes", "ok", text)
    return Check(
        "scopes",
        "fail",
        f"{text or 'none'}, without {_SCOPE}",
        f"add the scope {_SCOPE} to the application at developer.bentley.com, and sign in again",
    )


def _proxy(base: URL) -> Check:
    proxy = getproxies().get(base.scheme)
    if proxy is None:
        return Check("proxy", "ok", "the environment names none")
    where = shown(proxy.rpartition("@")[2])
    if proxy_bypass(base.host or ""):
        return Check("proxy", "ok", f"the environment names {where}, but not for {base.host}")
    return Check("proxy", "ok", f"the environment names {where}")


def _certificates() -> Check:
    """Name the variables that decide which certificates are trusted; wrong ones end the doctor."""
    own = os.environ.get(CA_FILE, "").strip()
    theirs = [f"{name} ({os.environ[name]})" for name in OF_PYTHON if os.environ.get(name)]
    found = f"those of {' and '.join(theirs)} instead of the system's" if theirs else "the system's"
    return Check("trust", "ok", f"{found}, and those of {CA_FILE} ({own})" if own else found)


def _host(base: URL, problem: ITwinError | None) -> Check:
    origin = str(base.origin())
    if not isinstance(problem, TransportError):
        secured = ", over TLS" if base.scheme == "https" else ""
        return Check("host", "ok", f"{origin} answers{secured}")
    if problem.timeout:
        advice = "check network, firewall and proxy (HTTPS_PROXY, NO_PROXY)"
    elif "TLS" in str(problem.args[0]):
        advice = (
            "trust your network's own certificates (--ca-file, ITWIN_CA_FILE), or check the clock"
        )
    else:
        advice = "check the address (ITWIN_BASE_URL, context show), network, name server and proxy"
    return Check("host", "fail", f"{origin}: {problem}", advice)


def _clock(skew: float | None) -> Check:
    if skew is None:
        return Check("clock", "skip", "no answer told the time")
    if abs(skew) <= _SKEW:
        return Check("clock", "ok", f"within {max(1, round(abs(skew)))} s of the platform's")
    side = "ahead of" if skew > 0 else "behind"
    return Check(
        "clock",
        "fail" if abs(skew) > _SOON else "warn",
        f"{abs(skew):.0f} s {side} the platform's",
        "set the clock, for instance by NTP: tokens are refused or taken for valid at wrong times",
    )


def _access(problem: ITwinError | None) -> Check:
    if problem is None:
        return Check("access", "ok", "the platform accepts the token")
    if isinstance(problem, AuthenticationError):
        advice = f"the token is not accepted; {_SIGN_IN}"
    elif isinstance(problem, PermissionDeniedError):
        advice = f"add the scope {_SCOPE} to the application at developer.bentley.com"
    elif isinstance(problem, RateLimitError):
        advice = "run it again later"
    elif isinstance(problem, ApiError):
        advice = "if it stays, see the platform's status page"
    else:
        advice = "check that the address is that of the platform (ITWIN_BASE_URL, context show)"
    return Check("access", "fail", str(problem), advice)


async def _itwin(session: Session, itwin_id: str | None) -> Check:
    if itwin_id is None:
        advice = "'itwin-async context set --itwin ID' lets this check the membership"
        return Check("itwin", "skip", "there is no iTwin in the context", advice)
    try:
        found = await itwins.get_itwin(session, itwin_id)
    except NotFoundError as problem:
        return Check(
            "itwin", "fail", f"not a member of {itwin_id}, or no such iTwin: {problem}", _MEMBER
        )
    except ITwinError as problem:
        return Check("itwin", "fail", str(problem), _MEMBER)
    return Check("itwin", "ok", f"a member of {found.display_name or itwin_id}")


async def _imodel(session: Session, imodel_id: str | None, itwin: Check) -> Check:
    if imodel_id is None:
        return Check("imodel", "skip", "there is no iModel in the context")
    try:
        permissions = await imodels.get_permissions(session, imodel_id)
    except ITwinError as problem:
        advice = "check the id ('itwin-async context show'), and the user's role in the iTwin"
        return Check("imodel", "fail", str(problem), advice)
    text = ", ".join(permissions) or "none"
    if itwin.status == "fail":
        return Check("imodel", "warn", f"permissions: {text}, but not on the iTwin", _MEMBER)
    return Check("imodel", "ok", f"permissions: {text}")
