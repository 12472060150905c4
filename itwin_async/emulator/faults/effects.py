"""What a fault does to a response and to the world."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlsplit, urlunsplit

import attrs
import msgspec

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.faults.fault import Answer, Fault
from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.api import APIS, IMODELS, SAVED_VIEWS
from itwin_async.emulator.platform.links import LinkStyle
from itwin_async.emulator.request_log import RecordedRequest
from itwin_async.emulator.requests import Query, Request, split_path
from itwin_async.emulator.responses import JSON_TYPE, Response, json_response
from itwin_async.emulator.storage import errors as storage_errors
from itwin_async.emulator.storage.signatures import is_storage
from itwin_async.emulator.world.factories import new_imodel, new_itwin
from itwin_async.emulator.world.state import World

_TOKEN = "$continuationToken"  # noqa: S105 - the name of a parameter


@attrs.frozen
class Effects:
    """The effects of a fault on a request, which is in the log as `record`."""

    fault: Fault
    request: Request
    record: RecordedRequest

    def instead(self) -> Response | None:
        """Return the response that replaces the platform's, if any."""
        answer = None if self.fault.answer is None else self.fault.answer(self.record)
        if answer is not None:
            return _response(answer)
        if self.fault.status is not None:
            return _for_status(self.fault.status, self.request.path)
        token = Query(self.request.query).get(_TOKEN)
        if not self.fault.expire_continuation or not token:
            return None
        response = IMODELS.invalid("Cannot get iModels.", [errors.invalid(_TOKEN, token)])
        return attrs.evolve(response, violation="")

    def apply(self, response: Response, style: LinkStyle) -> Response:
        """Return the response after the fault."""
        fault, body = self.fault, response.body
        if fault.next is not None and response.status == 200:  # noqa: PLR2004 - a page
            body = self._spoil_next(body, style)
        headers = {**response.headers, **fault.headers}
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
        return attrs.evolve(response, body=body, headers=headers)

    def churn(self, world: World, clock: EmulatorClock) -> None:
        """Change the list that was asked for, after the response was made."""
        churn, user = self.fault.churn, self.record.user
        if callable(churn):
            churn()
        elif churn is not None and user is not None:
            itwin_id = Query(self.request.query).get("iTwinId", "").lower()
            if itwin_id in world.itwins:
                _churn_imodels(world, clock, user, itwin_id, add=churn == "add")
            else:
                _churn_itwins(world, clock, user, add=churn == "add")

    def _spoil_next(self, body: bytes, style: LinkStyle) -> bytes:
        content = msgspec.json.decode(body, type=dict[str, object])
        links = content.get("_links")
        if not isinstance(links, dict):
            return body
        links = cast("dict[str, JsonObject | None]", links)
        here, following = links.get("self"), links.get("next")
        if self.fault.next == "missing":
            links.pop("next", None)
        elif following is not None and here is not None:
            href = str(following["href"])
            if self.fault.next == "foreign":
                parts, other = urlsplit(href), urlsplit(self.fault.foreign_origin)
                href = urlunsplit((other.scheme, other.netloc, *parts[2:]))
            elif self.fault.next == "duplicate":
                href = self.request.origin + self.request.target
            else:
                href = _first_page(str(here["href"]))
            links["next"] = {"href": href}
        return style.encode(cast("JsonObject", content))


def _response(answer: Answer) -> Response:
    headers = {"Content-Type": "text/plain" if isinstance(answer.body, str) else JSON_TYPE}
    body = b"" if answer.body is None else _bytes(answer.body)
    return Response(answer.status, body, {**headers, **answer.headers})


def _bytes(body: bytes | str | JsonObject) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)


def _first_page(href: str) -> str:
    base, _, query = href.partition("?")
    found: list[str] = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        start = {_TOKEN: "", "$skip": "0"}.get(name, value)
        found.append(f"{name}={start}")
    return f"{base}?{'&'.join(found)}"


def _churn_imodels(
    world: World, clock: EmulatorClock, user: str, itwin_id: str, *, add: bool
) -> None:
    if add:
        imodel = new_imodel(world, clock, itwin_id)
        world.put_imodel(imodel, front=True)
        world.favorite(user, imodel.id)
        return
    favorites = world.favorites_of(user, itwin_id)
    if favorites:
        world.drop_imodel(favorites[0].id)


def _churn_itwins(world: World, clock: EmulatorClock, user: str, *, add: bool) -> None:
    if add:
        itwin = new_itwin(world, clock)
        world.put_itwin(itwin, front=True)
        world.favorite(user, itwin.id)
        return
    favorites = world.lists_of(user).favorite_itwins
    first = next((row for row in world.itwins if row in favorites), None)
    if first is not None:
        world.favorite(user, first, on=False)


def _for_status(status: int, path: str) -> Response:
    """Return the error that the platform would most likely send with a status."""
    name = split_path(path.lower())[0]
    if is_storage(path):
        return storage_errors.for_status(status)
    if name in {"connect", ".well-known"}:
        return json_response(status, {"error": "temporarily_unavailable"})
    api = APIS.get(name, SAVED_VIEWS)
    if status == 429:  # noqa: PLR2004 - the status is the name
        return api.too_many_requests()
    kind = {"itwins": "iTwin", "savedviews": "Tag"}.get(name, "iModel")
    known = {
        401: errors.UNAUTHORIZED,
        403: errors.INSUFFICIENT_PERMISSIONS,
        404: errors.not_found(kind),
        409: errors.error(409, f"{kind}Exists", f"{kind} already exists."),
        422: errors.error(422, api.invalid_code, "Request is not valid."),
    }
    return known.get(status) or attrs.evolve(errors.UNKNOWN, status=status)
