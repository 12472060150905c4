"""The command `python -m itwin_async.emulator`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import attrs

from itwin_async.emulator.hosting import HostedInLoop
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.recording.matching import CassetteMissError
from itwin_async.emulator.recording.recorder import PLATFORM, Recorder
from itwin_async.emulator.recording.replay import Replay
from itwin_async.emulator.server import Emulator


@attrs.frozen(kw_only=True)
class Options:
    """What a command line asks for."""

    host: str
    port: int
    seed: int
    itwins: int
    imodels: int
    changesets: int
    named_versions: int
    rate_limit: RateLimit | None
    latency: float
    state: Path | None
    world: Path | None
    token_file: Path | None
    no_any_token: bool
    tls: bool
    ca_file: Path | None
    strict: bool
    record: Path | None
    target: str | None
    replay: Path | None

    def conflict(self) -> str | None:
        """Return which options do not go with each other."""
        if self.record is not None and self.replay is not None:
            return "--record and --replay are mutually exclusive"
        if self.ca_file is not None and not self.tls:
            return "--ca-file needs --tls"
        if self.target is not None and self.record is None:
            return "--target needs --record"
        if self.named_versions > self.changesets:
            return "--named-versions must not exceed --changesets"
        return None


async def run(options: Options) -> None:
    """
    Serve what the options ask for until the process is interrupted.

    Raises:
        ValueError: it cannot be served, or a file cannot be read or written.
        CassetteMissError: a replay was asked for what is not on its cassette.

    """
    hosted = _hosted(options)
    with _failing("cannot serve"):
        await serve(hosted, state=options.state)


async def serve(
    emulator: HostedInLoop, *, output: TextIO | None = None, state: Path | None = None
) -> None:
    """
    Run an emulator, recorder or replay until the process is interrupted.

    The first line of the output is its base URL, the second a token of the demo user (of an
    emulator only).

    Args:
        emulator: what to run; not entered yet.
        output: where to print; the standard output when None.
        state: the file that an emulator's world is written to at the end.

    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        print(emulator.base_url, file=output, flush=True)
        if isinstance(emulator, Emulator):
            print(emulator.token, file=output, flush=True)
        await stop.wait()
    if state is not None and isinstance(emulator, Emulator):
        emulator.save(state)


def rate_limit(text: str) -> RateLimit:
    """Return the limit of a text such as `100/60` (calls per seconds); ValueError if it is none."""
    requests, slash, seconds = text.partition("/")
    limit = RateLimit(int(requests), float(seconds if slash else 1))
    if limit.requests < 1 or not limit.per_seconds > 0:
        raise ValueError(text)
    return limit


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m itwin_async.emulator",
        description="A local iTwin Platform. Prints its base URL and a token, serves until "
        "interrupted.",
    )
    add = found.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="port; 0 picks one (%(default)s)")
    add("--seed", type=int, default=0, help="equal seeds give equal worlds (%(default)s)")
    add("--itwins", type=int, default=12, help="iTwins to generate (%(default)s)")
    add("--imodels", type=int, default=25, help="iModels in each (%(default)s)")
    add("--changesets", type=int, default=0, help="changesets of each iModel (%(default)s)")
    add("--named-versions", type=int, default=0, help="named versions of each (%(default)s)")
    add("--rate-limit", type=rate_limit, metavar="N/SECONDS", help="calls allowed per caller")
    add("--latency", type=float, default=0.0, metavar="S", help="seconds before each response")
    add("--state", type=Path, metavar="FILE", help="keep the world in a file over restarts")
    add("--world", type=Path, metavar="FILE", help="a world to add, as JSON")
    add("--token-file", type=Path, metavar="FILE", help="where to write the token too")
    add("--no-any-token", action="store_true", help="refuse tokens that it did not make")
    add("--tls", action="store_true", help="speak TLS, with a certificate made on the spot")
    add("--ca-file", type=Path, metavar="FILE", help="where to write what clients have to trust")
    add("--strict", action="store_true", help="collect requests that would be refused")
    add("--record", type=Path, metavar="FILE", help="be a proxy and write a cassette instead")
    add("--target", metavar="URL", help=f"what to record ({PLATFORM})")
    add("--replay", type=Path, metavar="FILE", help="play a cassette instead")
    add("--openapi", action="store_true", help="print the OpenAPI document and end")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of the process, and return the exit code."""
    options = parser().parse_args(arguments)
    if options.openapi:
        json.dump(openapi(), sys.stdout, indent=2)
        print()  # noqa: T201 - its output is its purpose
        return 0
    given = vars(options)
    del given["openapi"]
    wanted = Options(**given)
    conflict = wanted.conflict()
    if conflict is not None:
        parser().error(conflict)
    try:
        asyncio.run(run(wanted))
    except KeyboardInterrupt:
        return 0
    except (ValueError, CassetteMissError) as error:
        print(f"{parser().prog}: {error}", file=sys.stderr)  # noqa: T201 - its output is its purpose
        return 1 if isinstance(error, CassetteMissError) else 2
    return 0


def _hosted(options: Options) -> HostedInLoop:
    """Make the emulator, the recorder or the replay."""
    if options.record is not None:
        if not options.record.absolute().parent.is_dir():
            raise ValueError(f"cannot record to {options.record}: there is no such folder")
        target = options.target or PLATFORM
        with _failing(f"cannot record {target}"):
            return Recorder(options.record, target, host=options.host, port=options.port)
    if options.replay is not None:
        with _failing(f"cannot replay {options.replay}"):
            return Replay(options.replay, host=options.host, port=options.port)
    emulator = _emulator(options)
    with _failing(f"cannot load {options.world}"):
        if options.world is not None:
            emulator.load(options.world)
    with _failing(f"cannot write {options.token_file}"):
        if options.token_file is not None:
            options.token_file.write_text(emulator.token, encoding="utf-8")
    with _failing(f"cannot write {options.ca_file}"):
        if options.ca_file is not None:
            options.ca_file.write_bytes(emulator.certificate.authority_pem)
    return emulator


def _emulator(options: Options) -> Emulator:
    """Make an emulator with the world of a file, or a generated one while there is no file."""
    state = options.state
    saved = state is not None and state.exists()
    if saved:
        options = attrs.evolve(options, itwins=0, imodels=0, changesets=0, named_versions=0)
    try:
        emulator = Emulator(
            seed=options.seed,
            itwins=options.itwins,
            imodels=options.imodels,
            changesets=options.changesets,
            named_versions=options.named_versions,
            rate_limit=options.rate_limit,
            latency=options.latency,
            strict=options.strict,
            any_token=not options.no_any_token,
            tls=options.tls,
            host=options.host,
            port=options.port,
        )
    except RuntimeError as problem:  # a package is missing
        raise ValueError(str(problem)) from None
    if state is not None and saved:
        with _failing(f"cannot load {state}"):
            emulator.load(state)
        emulator.reset(emulator.state)
    return emulator


@contextlib.contextmanager
def _failing(what: str) -> Iterator[None]:
    """Say what cannot be done."""
    try:
        yield
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else None
        raise ValueError(f"{what}: {why or problem}") from None
