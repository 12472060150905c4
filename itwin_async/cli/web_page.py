"""Opening the web page of an entity, where there is one."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping

import click
from yarl import URL

from itwin_async._http.urls import is_loopback, origin, parse
from itwin_async.cli.cells import clean
from itwin_async.errors import ConfigurationError

web_option = click.option("--web", is_flag=True, help="Open its web page in a browser.")


def open_page(entity: Mapping[str, object], base: URL) -> None:
    """
    Open the web page of an entity.

    The platform's answers name one for repositories only, as ``uri``; every other address in them
    is one of the API, which asks a browser for a token, or a signed one. An emulator has a page
    that shows all its data.

    Raises:
        ConfigurationError: it has no page, or there is no browser.

    """
    address = _page_of(entity, base)
    if address is None:
        raise ConfigurationError(
            "--web: the platform names no web page for this, only addresses of its API, which a "
            "browser cannot open without a token"
        )
    click.echo(f"Opening {clean(address)}", err=True)
    try:
        opened = webbrowser.open(address)
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        raise ConfigurationError("--web: no browser could be opened")


def _page_of(entity: Mapping[str, object], base: URL) -> str | None:
    address = entity.get("uri")
    if isinstance(address, str):
        try:
            url = parse(address)
        except ValueError:
            return None
        plain = url.user is None and not url.raw_query_string
        if url.scheme == "https" and url.host and plain and origin(url) != origin(base):
            return str(url)
    return str(base) if is_loopback(base.host or "") else None
