"""The command ``itwin-async emulator``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from itwin_async.cli.runtime import run
from itwin_async.errors import ConfigurationError

if TYPE_CHECKING:
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

    from itwin_async.emulator.command import Options
    from itwin_async.emulator.command import run as serve

    options = Options(**given)  # type: ignore[arg-type]
    conflict = options.conflict()
    if conflict is not None:
        raise click.UsageError(conflict)

    async def main() -> None:
        try:
            await serve(options)
        except AssertionError as missed:
            raise click.ClickException(str(missed)) from None
        except ValueError as problem:
            raise ConfigurationError(str(problem)) from None

    run(main)
