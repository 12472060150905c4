"""The command ``itwin-async emulator``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click
import msgspec

from itwin_async.cli.runtime import run
from itwin_async.errors import ConfigurationError

if TYPE_CHECKING:
    from itwin_async.emulator.hosting import HostedInLoop
    from itwin_async.emulator.rate_limits import RateLimit

_FILE = click.Path(path_type=Path, dir_okay=False)
_PLATFORM = "https://api.bentley.com"


def _finite(_: click.Context, __: click.Parameter, seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is not a finite number of seconds")
    return seconds


class _RateLimitType(click.ParamType):  # type: ignore[type-arg]
    name = "calls/seconds"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> RateLimit:
        from itwin_async.emulator.command import rate_limit

        try:
            return rate_limit(str(value))
        except ValueError:
            self.fail("give calls and seconds, such as 100/60", param, ctx)


@attrs.frozen
class _Arguments:
    """What the command was given."""

    host: str
    port: int
    seed: int
    itwins: int
    imodels: int
    changesets: int
    named_versions: int
    rate_limit: RateLimit | None
    latency: float
    world: Path | None
    token_file: Path | None
    state: Path | None
    no_any_token: bool
    tls: bool
    ca_file: Path | None
    strict: bool
    record: Path | None
    target: str | None
    replay: Path | None


@click.command(short_help="Serve a local iTwin Platform with made-up data.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 picks one."
)
@click.option("--seed", default=0, show_default=True, help="Equal seeds give equal worlds.")
@click.option(
    "--itwins", type=click.IntRange(0), default=12, show_default=True, help="iTwins to make up."
)
@click.option(
    "--imodels", type=click.IntRange(0), default=25, show_default=True, help="iModels in each."
)
@click.option("--changesets", type=click.IntRange(0), default=0, help="Changesets of each iModel.")
@click.option(
    "--named-versions", type=click.IntRange(0), default=0, help="Named versions of each iModel."
)
@click.option("--rate-limit", type=_RateLimitType(), help="Calls allowed per caller.")
@click.option(
    "--latency",
    type=click.FloatRange(0),
    callback=_finite,
    default=0.0,
    metavar="S",
    help="Seconds that each answer takes.",
)
@click.option("--state", type=_FILE, metavar="FILE", help="Keep the world over restarts.")
@click.option("--world", type=_FILE, metavar="FILE", help="A world to add, as JSON.")
@click.option("--token-file", type=_FILE, metavar="FILE", help="Where to write the token too.")
@click.option("--no-any-token", is_flag=True, help="Refuse tokens that it did not make.")
@click.option("--tls", is_flag=True, help="Speak TLS, with a certificate made on the spot.")
@click.option("--ca-file", type=_FILE, metavar="FILE", help="Where to write what to trust.")
@click.option("--strict", is_flag=True, help="Collect requests that the platform would reject.")
@click.option(
    "--record", type=_FILE, metavar="FILE", help="Proxy another platform and write a cassette."
)
@click.option("--target", metavar="URL", help=f"What to record; {_PLATFORM} if left out.")
@click.option("--replay", type=_FILE, metavar="FILE", help="Replay a cassette instead.")
@click.option("--openapi", is_flag=True, help="Print the OpenAPI document and exit.")
def emulator(*, openapi: bool, **given: object) -> None:
    """
    Serve a local iTwin Platform with made-up data, until interrupted.

    Prints its base URL, then a token of its demo user. The page at its base URL shows its data and
    the requests that it received.
    """
    if openapi:
        from itwin_async.emulator.platform.openapi import openapi as document

        click.echo(msgspec.json.format(msgspec.json.encode(document()), indent=2))
        return

    if given["record"] is not None and given["replay"] is not None:
        raise click.UsageError("--record and --replay are mutually exclusive")
    if given["ca_file"] is not None and not given["tls"]:
        raise click.UsageError("--ca-file needs --tls")
    if given["target"] is not None and given["record"] is None:
        raise click.UsageError("--target needs --record")
    if given["named_versions"] > given["changesets"]:  # type: ignore[operator] # both are int
        raise click.UsageError("--named-versions must not exceed --changesets")

    async def main() -> None:
        from itwin_async.emulator.command import serve

        arguments = _Arguments(**given)  # type: ignore[arg-type]
        hosted = _hosted(arguments)
        try:
            await serve(hosted, state=arguments.state)
        except AssertionError as missed:
            raise click.ClickException(str(missed)) from None
        except (OSError, ValueError) as problem:
            raise _cannot("cannot serve", problem) from None

    run(main)


def _hosted(given: _Arguments) -> HostedInLoop:
    """Make the emulator, the recorder or the replay."""
    from itwin_async.emulator import Recorder, Replay

    if given.record is not None:
        if not given.record.absolute().parent.is_dir():
            raise ConfigurationError(f"cannot record to {given.record}: there is no such folder")
        target = given.target or _PLATFORM
        try:
            return Recorder(given.record, target, host=given.host, port=given.port)
        except ValueError as problem:
            raise _cannot(f"cannot record {target}", problem) from None
    if given.replay is None:
        return _emulator(given)
    try:
        return Replay(given.replay, host=given.host, port=given.port)
    except (OSError, ValueError) as problem:
        raise _cannot(f"cannot replay {given.replay}", problem) from None


def _emulator(given: _Arguments) -> HostedInLoop:
    from itwin_async.emulator.command import make

    try:
        served = make(
            given.state,
            seed=given.seed,
            itwins=given.itwins,
            imodels=given.imodels,
            changesets=given.changesets,
            named_versions=given.named_versions,
            rate_limit=given.rate_limit,
            latency=given.latency,
            strict=given.strict,
            any_token=not given.no_any_token,
            tls=given.tls,
            host=given.host,
            port=given.port,
        )
    except RuntimeError as problem:
        raise ConfigurationError(str(problem)) from None
    except (OSError, ValueError) as problem:
        raise _cannot(f"cannot load {given.state}", problem) from None
    try:
        if given.world is not None:
            served.load(given.world)
    except (OSError, ValueError) as problem:
        raise _cannot(f"cannot load {given.world}", problem) from None
    try:
        if given.token_file is not None:
            given.token_file.write_text(served.token, encoding="utf-8")
    except OSError as problem:
        raise _cannot(f"cannot write {given.token_file}", problem) from None
    try:
        if given.ca_file is not None:
            given.ca_file.write_bytes(served.certificate.authority_pem)
    except OSError as problem:
        raise _cannot(f"cannot write {given.ca_file}", problem) from None
    return served


def _cannot(what: str, problem: Exception) -> ConfigurationError:
    why = problem.strerror if isinstance(problem, OSError) else None
    return ConfigurationError(f"{what}: {why or problem}")
