"""The commands ``itwin-async login``, ``logout`` and ``whoami``."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from datetime import UTC, datetime

import click
import msgspec

from itwin_async._http.credentials import Credentials, Secret
from itwin_async.auth import AuthorizationCode, DefaultStore
from itwin_async.auth._environment import (
    Platform,
    find_credentials,
    find_platform,
    network_of_sign_in,
    variable,
)
from itwin_async.auth._tokens import read_claims, user_name
from itwin_async.auth.authorization_code import DEFAULT_REDIRECT_URI
from itwin_async.cli.cells import clean, plain
from itwin_async.cli.failures import exit_code
from itwin_async.cli.network_options import network_options
from itwin_async.cli.runtime import load_environment, profile_option, run
from itwin_async.cli.stdout import write
from itwin_async.errors import ConfigurationError, RequestError

_SHOWN = ("name", "email", "sub", "client_id", "scope", "iss", "aud")


@click.command()
@click.option("--client-id", metavar="ID", help="Your native application; also ITWIN_CLIENT_ID.")
@click.option(
    "--redirect-uri",
    metavar="URI",
    help=f"Registered for it; also ITWIN_REDIRECT_URI.  [default: {DEFAULT_REDIRECT_URI}]",
)
@click.option("--scope", "scopes", multiple=True, help="Request this instead of itwin-platform.")
@profile_option
@network_options
@click.option("--no-browser", is_flag=True, help="Only print the address to open.")
@click.option(
    "--wait",
    type=click.FloatRange(0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds to wait for you.",
)
def login(
    *,
    client_id: str | None,
    redirect_uri: str | None,
    scopes: tuple[str, ...],
    profile: str | None,
    no_browser: bool,
    wait: float,
) -> None:
    """
    Sign in to the iTwin Platform with your browser.

    The sign-in is stored in the system's keyring, or in a file that only you can read where there
    is no keyring, and refreshed when needed. All commands and Session.from_env() use it. Set
    ITWIN_ENVIRONMENT to prod, qa or dev to choose the platform.
    """

    async def main() -> None:
        load_environment(profile)
        platform = find_platform()
        provider = AuthorizationCode(
            client_id or _client_id(),
            scopes or ("itwin-platform",),
            platform.issuer,
            redirect_uri=redirect_uri or variable("ITWIN_REDIRECT_URI") or DEFAULT_REDIRECT_URI,
            base_url=platform.base_url,
            **network_of_sign_in(platform),
        )
        where = await provider.sign_in(_only_say if no_browser else _show, wait=wait)
        name = user_name(Secret(await provider.get_token())) or "an unnamed user"
        _say(f"Signed in as {name} at {platform.issuer}; stored in {where}.")
        if variable("ITWIN_ACCESS_TOKEN"):
            _say("ITWIN_ACCESS_TOKEN is set and overrides this sign-in.")

    run(main)


@click.command()
@profile_option
@network_options
def logout(*, profile: str | None) -> None:
    """Delete the stored sign-in and revoke it."""

    async def main() -> int:
        load_environment(profile)
        return await _forget(find_platform())

    run(main)


@click.command(short_help="Show whose credentials would be used.")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@profile_option
@network_options
def whoami(*, as_json: bool, profile: str | None) -> None:
    """
    Show whose credentials would be used, and until when they are valid.

    Shows what the access token says about itself, never the token.
    """

    async def main() -> None:
        load_environment(profile)
        found = find_credentials()
        token = (await Credentials(found.source).current()).secret
        row = _row(read_claims(token), found.description, found.platform)
        write(msgspec.json.encode(row) + b"\n" if as_json else _lines(row).encode())

    run(main)


async def _forget(platform: Platform) -> int:
    store = DefaultStore()
    try:
        record = store.load(platform.issuer)
    except ConfigurationError as error:
        if not store.delete(platform.issuer):
            raise
        _say(f"Deleted a sign-in that could not be read: {error}")
        return 0
    if record is None:
        _say(f"Nobody was signed in at {platform.issuer}.")
        return 0
    try:
        await AuthorizationCode.of(record, store=store, **network_of_sign_in(platform)).sign_out()
    except RequestError as error:
        if store.load(platform.issuer) is not None:
            raise
        _say(f"Signed out here, but {platform.issuer} did not revoke the sign-in: {error}")
        return exit_code(error)
    _say(f"Signed out at {platform.issuer}.")
    return 0


def _client_id() -> str:
    for name in ("ITWIN_CLIENT_ID", "IMJS_AUTH_CLIENT_CLIENT_ID"):
        if variable(name):
            return variable(name)
    raise ConfigurationError(
        "no client id: give --client-id or set ITWIN_CLIENT_ID to the id of a native application "
        f"with the redirect URI {DEFAULT_REDIRECT_URI}"
    )


def _only_say(url: str) -> None:
    _say(f"Open this address to sign in:\n{url}")


def _show(url: str) -> None:
    _only_say(url)
    try:
        webbrowser.open(url)
    except (webbrowser.Error, OSError):
        _say("No browser could be opened.")


def _say(text: str) -> None:
    click.echo("\n".join(clean(line) for line in text.split("\n")), err=True)


def _row(claims: Mapping[str, object], description: str, platform: Platform) -> dict[str, object]:
    row: dict[str, object] = {"by": description, "platform": platform.base_url}
    row |= {name: claims[name] for name in _SHOWN if name in claims}
    row["issued"] = _moment(claims.get("iat"))
    row["expires"] = _moment(claims.get("exp"))
    return row


def _lines(row: Mapping[str, object]) -> str:
    width = max(map(len, row)) + 2
    return "".join(
        f"{name:{width}}{plain(' '.join(map(str, value)) if isinstance(value, list) else value)}\n"
        for name, value in row.items()
        if value is not None
    )


def _moment(value: object) -> str | None:
    try:
        return datetime.fromtimestamp(float(str(value)), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
