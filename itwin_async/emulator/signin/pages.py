"""The pages that a person sees while signing in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from itwin_async.emulator.responses import Response, html_response
from itwin_async.emulator.world.records import UserRecord

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>{title}</title><style>
:root {{ color-scheme: light dark; --line: light-dark(#d9dee6, #343b47); }}
body {{ font: 15px/1.5 system-ui, sans-serif; display: grid; place-items: center; margin: 0;
  min-height: 100vh; background: light-dark(#f6f7f9, #14171c);
  color: light-dark(#1b2330, #e3e8ef); }}
main {{ width: min(26rem, 92vw); padding: 1.5rem; border: 1px solid var(--line);
  border-radius: 12px; background: light-dark(#fff, #1c2027); }}
h1 {{ font-size: 1.15rem; margin: 0 0 .3rem; }}
p {{ margin: 0 0 1rem; opacity: .75; overflow-wrap: anywhere; }}
a {{ display: block; padding: .6rem .9rem; margin-top: .5rem; border: 1px solid var(--line);
  border-radius: 8px; color: inherit; text-decoration: none; }}
a:hover, a:focus {{ border-color: light-dark(#0b6bcb, #6cb2ff); }}
a.quiet {{ border-color: transparent; opacity: .7; text-align: center; }}
small {{ display: block; opacity: .65; }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""


def choose_user(target: str, client_id: str, users: Sequence[UserRecord]) -> Response:
    """
    Return the page on which a person chooses a user.

    Args:
        target: path and query of the request.
        client_id: the application that asks.
        users: the users to choose from.

    """
    rows = [f"<p>{escape(client_id)} wants to use the iTwin Platform.</p>"]
    for user in users:
        href = escape(f"{target}&user={quote(user.name, safe='')}")
        name, email = escape(user.name), escape(user.email)
        rows.append(f'<a href="{href}" id="user-{name}">{name}<small>{email}</small></a>')
    rows.append(f'<a class="quiet" id="cancel" href="{escape(target)}&amp;denied=1">Cancel</a>')
    return _page(200, "Sign in", "".join(rows))


def error_page(message: str) -> Response:
    """Return the page for a request that cannot be sent back."""
    return _page(400, "This cannot be done", f"<p>{escape(message)}</p>")


def signed_out() -> Response:
    """Return the page after signing out."""
    return _page(200, "Signed out", "<p>You may close this window.</p>")


def _page(status: int, title: str, body: str) -> Response:
    return html_response(status, _PAGE.format(title=title, body=body).encode(), policy=_POLICY)
