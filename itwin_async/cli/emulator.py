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
        raise click.BadParameter(f"{seconds} is no number of seconds")
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
class _Wishes:
    """What the command was asked for."""

    host: str
    port: int
    seed: int
    itwins: int
    imodels: int
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
@click.option("--strict", is_flag=True, help="Collect requests that the platform would refuse.")
@click.option("--record", type=_FILE, metavar="FILE", help="Be a proxy and write a cassette.")
@click.option("--target", metavar="URL", help=f"What to record; {_PLATFORM} if left out.")
@click.option("--replay", type=_FILE, metavar="FILE", help="Play a cassette instead.")
@click.option("--openapi", is_flag=True, help="Print the OpenAPI document and end.")
def emulator(*, openapi: bool, **wishes: object) -> None:
    """
    Serve a local iTwin Platform with made-up data, until interrupted.

    Prints its base URL, then a token of its demo user. The page at its base URL shows what it holds
    and what it was asked.
    """
    if openapi:
        from itwin_async.emulator.platform.openapi import openapi as document

        click.echo(msgspec.json.format(msgspec.json.encode(document()), indent=2))
        return

    if wishes["record"] is not None and wishes["replay"] is not None:
        raise click.UsageError("--record and --replay exclude each other")
    if wishes["ca_file"] is not None and not wishes["tls"]:
        raise click.UsageError("--ca-file is for --tls")
    if wishes["target"] is not None and wishes["record"] is None:
        raise click.UsageError("--target says what --record records")

    async def main() -> None:
        from itwin_async.emulator.command import serve

        wanted = _Wishes(**wishes)  # type: ignore[arg-type]
        hosted = _hosted(wanted)
        try:
            await serve(hosted, state=wanted.state)
        except (OSError, ValueError) as problem:
            raise _refusal("cannot serve", problem) from None

    run(main)


def _hosted(wishes: _Wishes) -> HostedInLoop:
    """Make what the wishes ask for."""
    from itwin_async.emulator import Recorder, Replay

    if wishes.record is not None:
        if not wishes.record.absolute().parent.is_dir():
            raise ConfigurationError(f"cannot record to {wishes.record}: there is no such folder")
        target = wishes.target or _PLATFORM
        try:
            return Recorder(wishes.record, target, host=wishes.host, port=wishes.port)
        except ValueError as problem:
            raise _refusal(f"cannot record {target}", problem) from None
    if wishes.replay is None:
        return _emulator(wishes)
    try:
        return Replay(wishes.replay, host=wishes.host, port=wishes.port)
    except (OSError, ValueError) as problem:
        raise _refusal(f"cannot replay {wishes.replay}", problem) from None


def _emulator(wishes: _Wishes) -> HostedInLoop:
    from itwin_async.emulator.command import make

    try:
        served = make(
            wishes.state,
            seed=wishes.seed,
            itwins=wishes.itwins,
            imodels=wishes.imodels,
            rate_limit=wishes.rate_limit,
            latency=wishes.latency,
            strict=wishes.strict,
            any_token=not wishes.no_any_token,
            tls=wishes.tls,
            host=wishes.host,
            port=wishes.port,
        )
    except RuntimeError as problem:
        raise ConfigurationError(str(problem)) from None
    except (OSError, ValueError) as problem:
        raise _refusal(f"cannot load {wishes.state}", problem) from None
    try:
        if wishes.world is not None:
            served.load(wishes.world)
    except (OSError, ValueError) as problem:
        raise _refusal(f"cannot load {wishes.world}", problem) from None
    try:
        if wishes.token_file is not None:
            wishes.token_file.write_text(served.token, encoding="utf-8")
    except OSError as problem:
        raise _refusal(f"cannot write {wishes.token_file}", problem) from None
    try:
        if wishes.ca_file is not None:
            wishes.ca_file.write_bytes(served.certificate.authority_pem)
    except OSError as problem:
        raise _refusal(f"cannot write {wishes.ca_file}", problem) from None
    return served


def _refusal(what: str, problem: Exception) -> ConfigurationError:
    why = problem.strerror if isinstance(problem, OSError) else None
    return ConfigurationError(f"{what}: {why or problem}")
