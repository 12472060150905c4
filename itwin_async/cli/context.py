"""The commands ``itwin-async context ...``: named profiles, and what commands are about."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import click
import msgspec

from itwin_async.cli import profiles
from itwin_async.cli.known_ids import completing
from itwin_async.cli.runtime import load_environment, profile_names, profile_option, run
from itwin_async.cli.stdout import write
from itwin_async.errors import ConfigurationError

F = TypeVar("F", bound=Callable[..., object])

_WIDTH = 13


def _setting_options(command: F) -> F:
    itwins, imodels = completing("itwin"), completing("imodel")
    for option in (
        click.option("--client-id", metavar="ID", help="Application for 'itwin-async login'."),
        click.option("--issuer", metavar="URL", help="Another sign-in server."),
        click.option("--base-url", metavar="URL", help="Another platform."),
        click.option(
            "--environment", type=click.Choice(["prod", "qa", "dev", ""]), help="Bentley's."
        ),
        click.option("--imodel", metavar="ID", shell_complete=imodels, help="The iModel meant."),
        click.option("--itwin", metavar="ID", shell_complete=itwins, help="The iTwin meant."),
    ):
        command = option(command)
    return command


@click.group()
def context() -> None:
    """
    Keep what commands are about in named profiles.

    A setting is taken from the command line, else from the environment, else from a file .env in
    the current folder, else from the profile. Profiles hold no secrets.
    """


@context.command("set")
@_setting_options
@profile_option
def set_(*, profile: str | None, **given: str | None) -> None:
    """
    Change settings of a profile; an empty text removes one.

    The profile is made if there is none of its name. Another iTwin removes the iModel.
    """

    async def main() -> None:
        chosen = {name: text.strip() for name, text in given.items() if text is not None}
        if not chosen:
            raise click.UsageError("give what to set, such as --itwin ID")
        _check(chosen)
        with profiles.changing() as found:
            name = profiles.checked_name(_named(profile) or found.active)
            before = found.settings.get(name, {})
            if chosen.get("itwin", before.get("itwin")) != before.get("itwin"):
                before = {**before, "imodel": ""}
            merged = before | chosen
            found.settings[name] = {
                key: merged[key] for key in profiles.VARIABLES if merged.get(key)
            }

    run(main)


@context.command("show")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
@profile_option
def show(*, as_json: bool, profile: str | None) -> None:
    """Show what commands would use, and where each setting comes from."""

    async def main() -> None:
        sources = load_environment(profile)
        name, _ = profiles.load().choose(_named(profile))
        rows: dict[str, dict[str, str]] = {}
        for setting, variable in profiles.VARIABLES.items():
            value = os.environ.get(variable, "").strip()
            if value:
                source = sources.get(variable, f"environment {variable}")
                rows[setting] = {"value": value, "from": source}
        if as_json:
            write(msgspec.json.encode({"profile": name, "settings": rows}) + b"\n")
            return
        lines = [f"{'profile':{_WIDTH}}{name}"]
        lines += [f"{key:{_WIDTH}}{row['value']}  ({row['from']})" for key, row in rows.items()]
        write("".join(f"{line}\n" for line in lines).encode())

    run(main)


@context.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON.")
def list_(*, as_json: bool) -> None:
    """List the profiles; a star marks the active one."""

    async def main() -> None:
        found = profiles.load()
        named = {profiles.DEFAULT: {}, **found.settings} if not found.settings else found.settings
        if as_json:
            rows = [
                {"name": name, "active": name == found.active, **settings}
                for name, settings in named.items()
            ]
            write(msgspec.json.encode(rows) + b"\n")
            return
        for name, settings in named.items():
            facts = "  ".join(f"{key}={text}" for key, text in settings.items())
            mark = "*" if name == found.active else " "
            write(f"{mark} {name}  {facts}".rstrip().encode() + b"\n")

    run(main)


@context.command("use")
@click.argument("profile", shell_complete=profile_names)
def use(*, profile: str) -> None:
    """Make a profile the one that is used where none is named."""

    async def main() -> None:
        with profiles.changing() as found:
            if profile != profiles.DEFAULT:
                found.choose(profile)
            found.active = profile

    run(main)


@context.command("clear")
@click.option("--all", "everything", is_flag=True, help="All profiles.")
@profile_option
def clear(*, everything: bool, profile: str | None) -> None:
    """Remove a profile with all its settings; the active one if none is named."""

    async def main() -> None:
        with profiles.changing() as found:
            name, _ = found.choose(_named(profile))
            for each in list(found.settings) if everything else [name]:
                found.settings.pop(each, None)
            if found.active not in found.settings:
                found.active = profiles.DEFAULT

    run(main)


def _named(option: str | None) -> str | None:
    return option or os.environ.get("ITWIN_PROFILE", "").strip() or None


def _check(given: dict[str, str]) -> None:
    from itwin_async._http import urls
    from itwin_async.auth._discovery import issuer_url

    if given.get("itwin"):
        urls.guid("itwin", given["itwin"])
    if given.get("imodel"):
        urls.segment("imodel", given["imodel"])
    if given.get("base_url"):
        given["base_url"] = str(urls.base_url(given["base_url"]))
    if given.get("issuer"):
        given["issuer"] = str(issuer_url(given["issuer"]))
    client_id = given.get("client_id", "")
    if not client_id.isprintable():
        raise ConfigurationError(f"client_id must be of printable characters; got {client_id!r}")
