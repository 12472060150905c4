"""What a fault does to an answer and to the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit, urlunsplit

import attrs
import msgspec

from itwin_async.emulator import errors
from itwin_async.emulator.build import new_imodel, new_itwin
from itwin_async.emulator.exchange import Query
from itwin_async.emulator.paging import encode

if TYPE_CHECKING:
    from itwin_async.emulator.engine import Engine, Request
    from itwin_async.emulator.exchange import Answer
    from itwin_async.emulator.faults import Fault
    from itwin_async.emulator.records import JsonObject

_TOKEN = "$continuationToken"  # noqa: S105 - the name of a parameter


def tamper(
    answer: Answer, fault: Fault, engine: Engine, request: Request, user: str | None
) -> Answer:
    """Return the answer after a fault."""
    if fault.next is not None and answer.status == 200:  # noqa: PLR2004 - a page
        answer = _spoil_next(answer, fault, engine, request)
    if fault.churn is not None:
        _churn(fault, engine, request, user)
    body = answer.body
    headers = {**answer.headers, **fault.headers}
    if fault.body is not None:
        body = _bytes(fault.body)
    if fault.malformed:
        body = body[:-1] + b",]" if body else b"{"
    if fault.truncate is not None:
        keep = fault.truncate
        body = body[: int(keep) if keep >= 1 else int(len(body) * keep)]
    if fault.content_type is not None:
        headers["Content-Type"] = fault.content_type
    if fault.retry_after is not None:
        wait = fault.retry_after
        headers["retry-after"] = wait if isinstance(wait, str) else f"{wait:g}"
    return attrs.evolve(answer, body=body, headers=headers)


def refuse_token(request: Request) -> Answer | None:
    """Return the 422 for a continuation token that has expired; nothing when there is no token."""
    token = Query(request.query).get(_TOKEN)
    if not token:
        return None
    message = f"'{token}' is not a valid '{_TOKEN}' value."
    detail = errors.Detail("InvalidValue", message, _TOKEN)
    return attrs.evolve(errors.invalid_imodels("Cannot get iModels.", [detail]), refused="")


def _bytes(body: bytes | str | JsonObject) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)


def _spoil_next(answer: Answer, fault: Fault, engine: Engine, request: Request) -> Answer:
    content = msgspec.json.decode(answer.body, type=dict[str, object])
    links = content.get("_links")
    if not isinstance(links, dict):
        return answer
    links = cast("dict[str, JsonObject | None]", links)
    here, following = links.get("self"), links.get("next")
    if fault.next == "missing":
        links.pop("next", None)
    elif following is not None and here is not None:
        href = str(following["href"])
        if fault.next == "foreign":
            parts, other = urlsplit(href), urlsplit(fault.foreign_origin)
            href = urlunsplit((other.scheme, other.netloc, *parts[2:]))
        elif fault.next == "duplicate":
            href = request.origin + request.target
        else:
            href = _first_page(str(here["href"]))
        links["next"] = {"href": href}
    return attrs.evolve(answer, body=encode(cast("JsonObject", content), engine.style))


def _first_page(href: str) -> str:
    base, _, query = href.partition("?")
    parts = [part for part in query.split("&") if part]
    found: list[str] = []
    for part in parts:
        name, _, value = part.partition("=")
        start = {_TOKEN: "", "$skip": "0"}.get(name, value)
        found.append(f"{name}={start}")
    return f"{base}?{'&'.join(found)}"


def _churn(fault: Fault, engine: Engine, request: Request, user: str | None) -> None:
    if callable(fault.churn):
        fault.churn()
        return
    if user is None:
        return
    world, clock = engine.world, engine.clock
    itwin_id = Query(request.query).get("iTwinId", "").lower()
    if itwin_id in world.itwins:
        if fault.churn == "add":
            imodel = new_imodel(world, clock, itwin_id)
            world.put_imodel(imodel, front=True)
            world.favorite(user, imodel.id)
            return
        shelf = world.shelves[itwin_id]
        positions = world.marks_of(user, itwin_id).positions(shelf)
        if positions:
            world.drop_imodel(shelf.at(positions[0]).id)
    elif fault.churn == "add":
        itwin = new_itwin(world, clock)
        world.put_itwin(itwin, front=True)
        world.favorite(user, itwin.id)
    else:
        first = next(
            (row for row in world.itwins if row in world.lists_of(user).favorite_itwins), None
        )
        if first is not None:
            world.favorite(user, first, on=False)
