"""The sign-in server: discovery, token endpoint, authorize page and revocation."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import attrs

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response, json_response
from itwin_async.emulator.signin.oauth import (
    OFFLINE_SCOPE,
    USER_SCOPES,
    Code,
    OAuthClient,
    OAuthError,
    Refresh,
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
from itwin_async.emulator.world.records import UserRecord
from itwin_async.emulator.world.state import World

DISCOVERY = "/.well-known/openid-configuration"
_JWKS = "/.well-known/openid-configuration/jwks"
_CODE_SECONDS = 60.0
_REFRESH_SECONDS = 30 * 24 * 3600.0


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
        self._codes: dict[str, Code] = {}
        self._spent_codes: dict[str, str] = {}
        self._refreshes: dict[str, Refresh] = {}
        self._made = 0

    def reset(self) -> None:
        """Go back to the beginning."""
        self.clients = default_clients()
        self.token_requests.clear()
        self.lifetime = 3600.0
        self._codes.clear()
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
            response = token_response(grants[grant](client, form, request.origin, world))
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

    def _by_credentials(
        self, client: OAuthClient, form: Query, origin: str, world: World
    ) -> JsonObject:
        if client.secret is None:
            raise OAuthError("unauthorized_client", "A public client cannot use this grant.")
        for scope in form.get("scope", "").split():
            if scope in USER_SCOPES:
                raise OAuthError("invalid_scope", f"The scope '{scope}' needs a user.")
        scopes = read_scopes(form.get("scope"), client)
        user = world.user(client.service_user)
        return self._access_token(client, user, scopes, self._next("family"), origin)

    def _by_code(self, client: OAuthClient, form: Query, origin: str, world: World) -> JsonObject:
        text = form.get("code", "")
        if text in self._spent_codes:
            self._revoke_family(self._spent_codes[text])
            raise OAuthError("invalid_grant", "The code was used before.")
        code = self._codes.get(text)
        if code is None or code.client_id != client.client_id:
            raise OAuthError("invalid_grant", "The code is not valid.")
        if code.expires_at <= self._clock.now():
            raise OAuthError("invalid_grant", "The code has expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri is not that of the code.")
        verifier = form.get("code_verifier", "")
        if code.challenge and challenge_of(verifier) != code.challenge:
            raise OAuthError("invalid_grant", "The code_verifier does not match.")
        del self._codes[text]
        self._spent_codes[text] = code.family
        user = world.user(code.user)
        found = self._access_token(client, user, code.scopes, code.family, origin)
        if OFFLINE_SCOPE in code.scopes:
            found["refresh_token"] = self._refresh(client, user, code.scopes, code.family)
        return found

    def _by_refresh(
        self, client: OAuthClient, form: Query, origin: str, world: World
    ) -> JsonObject:
        refresh = self._refreshes.get(form.get("refresh_token", ""))
        if refresh is None or refresh.client_id != client.client_id:
            raise OAuthError("invalid_grant", "The refresh token is not valid.")
        if refresh.used:
            self._revoke_family(refresh.family)
            raise OAuthError("invalid_grant", "The refresh token was used before.")
        if refresh.expires_at <= self._clock.now():
            raise OAuthError("invalid_grant", "The refresh token has expired.")
        scopes = refresh.scopes
        if form.get("scope"):
            scopes = read_scopes(form["scope"], attrs.evolve(client, scopes=refresh.scopes))
        refresh.used = True
        user = world.user(refresh.user)
        found = self._access_token(client, user, scopes, refresh.family, origin)
        found["refresh_token"] = self._refresh(client, user, refresh.scopes, refresh.family)
        return found

    def _access_token(
        self,
        client: OAuthClient,
        user: UserRecord,
        scopes: tuple[str, ...],
        family: str,
        origin: str,
    ) -> JsonObject:
        now = self._clock.now()
        is_service = user.name == client.service_user
        claims: JsonObject = {
            "iss": origin,
            "aud": f"{origin}/resources",
            "sub": client.client_id if is_service else user.id,
            "name": user.name,
            "email": user.email,
            "client_id": client.client_id,
            "scope": list[Json](scopes),
            "iat": int(now),
            "exp": int(now + self.lifetime),
            "jti": self._next("token"),
        }
        token = write_jwt(claims)
        grant = Grant(user.name, client.client_id, scopes, now + self.lifetime, family)
        self._tokens.register(token, grant)
        found: JsonObject = {
            "access_token": token,
            "expires_in": int(self.lifetime),
            "token_type": "Bearer",
            "scope": " ".join(scopes),
        }
        if "openid" in scopes:
            found["id_token"] = write_jwt({**claims, "aud": client.client_id})
        return found

    def _refresh(
        self, client: OAuthClient, user: UserRecord, scopes: tuple[str, ...], family: str
    ) -> str:
        text = self._next("refresh")
        expires_at = self._clock.now() + _REFRESH_SECONDS
        self._refreshes[text] = Refresh(client.client_id, user.name, scopes, family, expires_at)
        return text

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
        if refresh is not None and refresh.client_id == client.client_id:
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
            code = self._check_authorize(query, client, world)
        except OAuthError as error:
            return _back(redirect_uri, query, error=error.code, error_description=error.description)
        if code is None:
            return choose_user(request.target, client.client_id, list(world.users.values()))
        text = self._next("code")
        self._codes[text] = code
        return _back(redirect_uri, query, code=text)

    def _check_authorize(self, query: Query, client: OAuthClient, world: World) -> Code | None:
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
        return Code(
            client.client_id,
            (known or world.user(user)).name,
            scopes,
            query["redirect_uri"],
            challenge,
            self._next("family"),
            self._clock.now() + _CODE_SECONDS,
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
