"""The command ``itwin-async doctor``: why commands do not work, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import click
import msgspec
from yarl import URL

from itwin_async._http.network import network_of_environment
from itwin_async.cli.cells import clean
from itwin_async.cli.diagnosis import Check, Clock, checks_of_platform, checks_of_token
from itwin_async.cli.progress import is_terminal
from itwin_async.cli.runtime import Options, open_session, run, session_options
from itwin_async.cli.stdout import write
from itwin_async.errors import ITwinError
from itwin_async.retry import RetryPolicy
from itwin_async.session import Session

_SECONDS = 20.0
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "cyan"}
_MARGIN = 14


@click.command(short_help="Check credentials, connection and membership.")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@session_options
def doctor(*, options: Options, as_json: bool) -> None:
    """
    Check token, scopes, clock, host, proxy and membership, and say what to do.

    The exit code is 1 if a check failed.
    """

    async def main() -> int:
        checks = await _examine(options)
        failed = any(check.status == "fail" for check in checks)
        if as_json:
            rows = [attrs.asdict(check) for check in checks]
            write(msgspec.json.encode({"ok": not failed, "checks": rows}) + b"\n")
        else:
            write("".join(map(_shown, checks)).encode(errors="replace"))
        return int(failed)

    run(main)


async def _examine(options: Options) -> list[Check]:
    try:
        if not options.emulator:
            options.prepare()
    except ITwinError as problem:
        return [Check("settings", "fail", str(problem), "correct it, or name another --profile")]
    token = await checks_of_token() if not options.emulator else []
    clock = Clock()
    try:
        async with _session(options, clock, usable=_is_usable(token)) as session:
            platform = await checks_of_platform(
                session,
                clock,
                usable=_is_usable(token),
                itwin_id=options.context("itwin"),
                imodel_id=options.context("imodel"),
            )
    except ITwinError as problem:
        return [*token, Check("settings", "fail", str(problem), "correct it and try again")]
    return [*token, *platform]


@asynccontextmanager
async def _session(options: Options, clock: Clock, *, usable: bool) -> AsyncIterator[Session]:
    """Open a session; without a usable token, one that can only tell whether the host answers."""
    retry, traces = RetryPolicy(retries=0, rate_limit_retries=0), [clock.trace()]
    if usable:
        async with open_session(
            options, retry=retry, seconds=_SECONDS, trace_configs=traces
        ) as session:
            yield session
        return
    from itwin_async.auth._environment import find_platform

    base_url = find_platform().base_url
    async with Session(
        "no-token",
        base_url=base_url,
        **network_of_environment(URL(base_url)),
        retry=retry,
        timeout=_SECONDS,
        trace_configs=traces,
    ) as session:
        yield session


def _is_usable(checks: Sequence[Check]) -> bool:
    return not any(check.name == "token" and check.status == "fail" for check in checks)


def _shown(check: Check) -> str:
    """Lay a check out, what to do below it; lines are broken on a terminal only."""
    terminal = is_terminal(sys.stdout)
    width = max(40, shutil.get_terminal_size().columns - 1) if terminal else sys.maxsize
    head = f"{check.status:6}{check.name:{_MARGIN - 6}}"
    lines = textwrap.wrap(
        clean(check.found),
        width,
        initial_indent=head,
        subsequent_indent=" " * _MARGIN,
        break_on_hyphens=False,
    )
    if check.advice:
        lines += textwrap.wrap(
            clean(check.advice),
            width,
            initial_indent=" " * _MARGIN + "-> ",
            subsequent_indent=" " * (_MARGIN + 3),
            break_on_hyphens=False,
        )
    text = "".join(f"{line}\n" for line in lines)
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not terminal
    if plain:
        return text
    return click.style(check.status, fg=_COLOURS[check.status]) + text[len(check.status) :]
