"""The sign-in server: discovery, token endpoint, authorize page and revocation."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import urlencode

import attrs

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response, json_response
from itwin_async.emulator.signin.oauth import (
    OFFLINE_SCOPE,
    USER_SCOPES,
    OAuthClient,
    OAuthError,
    TokenRequest,
    basic_credentials,
    challenge_of,
    default_clients,
    read_scopes,
    secret_text,
    token_response,
    write_jwt,
)
from itwin_async.emulator.signin.pages import choose_user, error_page, signed_out
from itwin_async.emulator.signin.tokens import Grant, Tokens
from itwin_async.emulator.world.state import World

DISCOVERY = "/.well-known/openid-configuration"
_JWKS = "/.well-known/openid-configuration/jwks"
OPERATIONS = (
    f"GET {DISCOVERY}",
    f"GET {_JWKS}",
    "GET /connect/authorize",
    "POST /connect/token",
    "POST /connect/revocation",
    "GET /connect/endsession",
)
_CODE_SECONDS = 60.0
_REFRESH_SECONDS = 30 * 24 * 3600.0

# What an access token is issued for, and what a refresh token beside it.
_Issued: TypeAlias = tuple[Grant, Grant | None]


def is_sign_in(path: str) -> bool:
    """Whether a path belongs to the sign-in server."""
    path = path.lower()
    return path.startswith(("/connect/", DISCOVERY))


class SignIn:
    """
    Issues tokens that the platform accepts.

    Args:
        tokens: where its tokens are registered.
        clock: the emulator's time.

    """

    def __init__(self, tokens: Tokens, clock: EmulatorClock) -> None:
        self.clients = default_clients()
        self.token_requests: list[TokenRequest] = []
        self.lifetime = 3600.0
        self._tokens = tokens
        self._clock = clock
        self._codes: dict[str, Grant] = {}
        self._code_checks: dict[str, tuple[str, str]] = {}
        self._spent_codes: dict[str, str] = {}
        self._refreshes: dict[str, Grant] = {}
        self._made = 0

    def reset(self) -> None:
        """Go back to the beginning."""
        self.clients = default_clients()
        self.token_requests.clear()
        self.lifetime = 3600.0
        self._codes.clear()
        self._code_checks.clear()
        self._spent_codes.clear()
        self._refreshes.clear()

    def respond(self, request: Request, world: World) -> Response:
        """Return the response to a request."""
        path = request.path.lower().rstrip("/")
        actions: Mapping[str, Callable[[], Response]] = {
            f"GET {DISCOVERY}": lambda: json_response(200, _discovery(request.origin)),
            f"GET {_JWKS}": lambda: json_response(200, {"keys": []}),
            "GET /connect/authorize": lambda: self._authorize(request, world),
            "POST /connect/token": lambda: self._token(request, world),
            "POST /connect/revocation": lambda: self._revoke(request),
            "GET /connect/endsession": lambda: self._end(request),
        }
        action = actions.get(f"{request.method} {path}")
        if action is None:
            return json_response(404, {"error": "not_found"})
        return action()

    def _token(self, request: Request, world: World) -> Response:
        form = Query(request.body.decode("utf-8", "replace"))
        grant = form.get("grant_type", "")
        client_id, failure = form.get("client_id", ""), None
        try:
            client = self._client(request, form)
            client_id = client.client_id
            grants = {
                "client_credentials": self._by_credentials,
                "authorization_code": self._by_code,
                "refresh_token": self._by_refresh,
            }
            if grant not in grants:
                raise OAuthError("unsupported_grant_type", f"The grant '{grant}' is not known.")
            issued = grants[grant](client, form, world)
            response = token_response(self._issue(issued, request.origin, world))
        except OAuthError as error:
            response, failure = error.response(), error.code
        record = TokenRequest(grant, client_id, response.status, failure, self._clock.now())
        self.token_requests.append(record)
        return response

    def _client(self, request: Request, form: Query) -> OAuthClient:
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise OAuthError("invalid_request", "The request is not form-encoded.")
        header = request.headers.get("Authorization")
        if header is not None:
            client_id, secret = basic_credentials(header)
            status = 401
        else:
            client_id, secret, status = (
                form.get("client_id", ""),
                form.get("client_secret", ""),
                400,
            )
        client = self.clients.get(client_id)
        given, wanted = secret.encode(), (client.secret or "" if client else "").encode()
        if client is None or not hmac.compare_digest(given, wanted):
            raise OAuthError("invalid_client", "The client or its secret is not known.", status)
        return client

    def _by_credentials(self, client: OAuthClient, form: Query, world: World) -> _Issued:
        if client.secret is None:
            raise OAuthError("unauthorized_client", "A public client cannot use this grant.")
        for scope in form.get("scope", "").split():
            if scope in USER_SCOPES:
                raise OAuthError("invalid_scope", f"The scope '{scope}' needs a user.")
        scopes = read_scopes(form.get("scope"), client)
        user = world.user(client.service_user).name
        return Grant(user, client.client_id, scopes, family=self._next("family")), None

    def _by_code(self, client: OAuthClient, form: Query, _: World) -> _Issued:
        text = form.get("code", "")
        if text in self._spent_codes:
            self._revoke_family(self._spent_codes[text])
            raise OAuthError("invalid_grant", "The code was used before.")
        grant = self._valid(self._codes.get(text), client, "code")
        redirect_uri, challenge = self._code_checks[text]
        if form.get("redirect_uri") != redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri is not that of the code.")
        if challenge and challenge_of(form.get("code_verifier", "")) != challenge:
            raise OAuthError("invalid_grant", "The code_verifier does not match.")
        del self._codes[text]
        self._spent_codes[text] = grant.family
        return grant, grant if OFFLINE_SCOPE in grant.scopes else None

    def _by_refresh(self, client: OAuthClient, form: Query, _: World) -> _Issued:
        grant = self._valid(
            self._refreshes.get(form.get("refresh_token", "")), client, "refresh token"
        )
        scopes = grant.scopes
        if form.get("scope"):
            scopes = read_scopes(form["scope"], attrs.evolve(client, scopes=grant.scopes))
        grant.revoked = True
        return attrs.evolve(grant, scopes=scopes), grant

    def _valid(self, grant: Grant | None, client: OAuthClient, kind: str) -> Grant:
        """Return the grant of a code or refresh token that can be used now."""
        if grant is None or grant.client != client.client_id:
            raise OAuthError("invalid_grant", f"The {kind} is not valid.")
        if grant.revoked:
            self._revoke_family(grant.family)
            raise OAuthError("invalid_grant", f"The {kind} was used before.")
        if grant.expires_at is not None and grant.expires_at <= self._clock.now():
            raise OAuthError("invalid_grant", f"The {kind} has expired.")
        return grant

    def _issue(self, issued: _Issued, origin: str, world: World) -> JsonObject:
        """Return new tokens: an access token, and what belongs to it."""
        grant, renewable = issued
        now, user = self._clock.now(), world.user(grant.user)
        is_service = user.name == self.clients[grant.client].service_user
        claims: JsonObject = {
            "iss": origin,
            "aud": f"{origin}/resources",
            "sub": grant.client if is_service else user.id,
            "name": user.name,
            "email": user.email,
            "client_id": grant.client,
            "scope": list[Json](grant.scopes),
            "iat": int(now),
            "exp": int(now + self.lifetime),
            "jti": self._next("token"),
        }
        token = write_jwt(claims)
        expires_at = now + self.lifetime
        self._tokens.register(token, attrs.evolve(grant, expires_at=expires_at, revoked=False))
        found: JsonObject = {
            "access_token": token,
            "expires_in": int(self.lifetime),
            "token_type": "Bearer",
            "scope": " ".join(grant.scopes),
        }
        if "openid" in grant.scopes:
            found["id_token"] = write_jwt({**claims, "aud": grant.client})
        if renewable is not None:
            text = self._next("refresh")
            self._refreshes[text] = attrs.evolve(
                renewable, expires_at=now + _REFRESH_SECONDS, revoked=False
            )
            found["refresh_token"] = text
        return found

    def _revoke_family(self, family: str) -> None:
        self._tokens.revoke_family(family)
        for text in [text for text, held in self._refreshes.items() if held.family == family]:
            del self._refreshes[text]

    def _revoke(self, request: Request) -> Response:
        form = Query(request.body.decode("utf-8", "replace"))
        try:
            client = self._client(request, form)
        except OAuthError as error:
            return error.response()
        token = form.get("token", "")
        refresh, grant = self._refreshes.get(token), self._tokens.known(token)
        if refresh is not None and refresh.client == client.client_id:
            self._revoke_family(refresh.family)
        elif grant is not None and grant.client == client.client_id:
            grant.revoked = True
        return json_response(200, {})

    def _authorize(self, request: Request, world: World) -> Response:
        query = Query(request.query)
        client = self.clients.get(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if client is None:
            return error_page("This application is not registered.")
        if redirect_uri not in client.redirect_uris:
            return error_page(
                f"The address {redirect_uri!r} is not registered for this application."
            )
        try:
            grant = self._check_authorize(query, client, world)
        except OAuthError as error:
            return _back(redirect_uri, query, error=error.code, error_description=error.description)
        if grant is None:
            return choose_user(request.target, client.client_id, list(world.users.values()))
        text = self._next("code")
        self._codes[text] = grant
        self._code_checks[text] = (redirect_uri, query.get("code_challenge", ""))
        return _back(redirect_uri, query, code=text)

    def _check_authorize(self, query: Query, client: OAuthClient, world: World) -> Grant | None:
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "Only the response type 'code' is known.")
        scopes = read_scopes(query.get("scope"), client)
        challenge = query.get("code_challenge", "")
        if not challenge and client.secret is None:
            raise OAuthError("invalid_request", "A code challenge is required.")
        if challenge and query.get("code_challenge_method") != "S256":
            raise OAuthError("invalid_request", "The code challenge method must be S256.")
        if query.get("denied"):
            raise OAuthError("access_denied", "The user did not sign in.")
        user = query.get("user") or query.get("login_hint")
        if not user:
            if query.get("prompt") == "none":
                raise OAuthError("login_required", "The user has to sign in.")
            return None
        known = next((row for row in world.users.values() if row.email == user), None)
        return Grant(
            (known or world.user(user)).name,
            client.client_id,
            scopes,
            self._clock.now() + _CODE_SECONDS,
            self._next("family"),
        )

    def _end(self, request: Request) -> Response:
        target = Query(request.query).get("post_logout_redirect_uri", "")
        if any(target in client.redirect_uris for client in self.clients.values()):
            return Response(302, headers={"Location": target})
        return signed_out()

    def _next(self, kind: str) -> str:
        self._made += 1
        return secret_text(kind, self._made)


def _back(redirect_uri: str, query: Query, **found: str) -> Response:
    if "state" in query:
        found["state"] = query["state"]
    mark = "&" if "?" in redirect_uri else "?"
    return Response(302, headers={"Location": f"{redirect_uri}{mark}{urlencode(found)}"})


def _discovery(origin: str) -> JsonObject:
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/connect/authorize",
        "token_endpoint": f"{origin}/connect/token",
        "revocation_endpoint": f"{origin}/connect/revocation",
        "end_session_endpoint": f"{origin}/connect/endsession",
        "jwks_uri": f"{origin}{_JWKS}",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["itwin-platform", OFFLINE_SCOPE, *USER_SCOPES],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
