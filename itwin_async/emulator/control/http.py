"""The control interface over HTTP, for tests in other languages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache
from importlib import resources

from itwin_async.emulator.control.actions import Actions
from itwin_async.emulator.control.command import Action, Command
from itwin_async.emulator.control.emulator import EmulatorControls
from itwin_async.emulator.json_types import Json
from itwin_async.emulator.requests import Request
from itwin_async.emulator.responses import Response, html_response, json_response

_PREFIX = "/_emulator"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:"
)


class Control:
    """
    Serves the page and the paths below `/_emulator`.

    Args:
        emulator: the emulator.
        lock: held during each action.

    """

    def __init__(self, emulator: EmulatorControls, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        index = Action(lambda _: {"actions": list[Json](self._actions)})
        self._actions = {"GET /": index, **Actions(emulator).table()}

    def handles(self, request: Request) -> bool:
        """Whether a request is for the control interface or the page."""
        return request.path.startswith(_PREFIX) or (request.path, request.method) == ("/", "GET")

    def respond(self, request: Request) -> Response | Iterator[bytes]:
        """Run the action of a control request, or return the page; an iterator is a JSON text."""
        if request.path == "/":
            return _page()
        path = request.path[len(_PREFIX) :].rstrip("/") or "/"
        action, entity_id = self._actions.get(f"{request.method} {path}"), ""
        if action is None:
            parent, _, entity_id = path.rpartition("/")
            action = self._actions.get(f"{request.method} {parent}/{{id}}")
        if action is None:
            message = f"There is no {request.method} {_PREFIX}{path}; see GET {_PREFIX}."
            return _error(404, "ControlNotFound", message)
        try:
            command = Command.of(request, entity_id)
            with self._lock:
                return action.respond(command)
        except KeyError as error:
            return _error(404, "ControlRefused", f"{error} is unknown.")
        except ValueError as error:
            return _error(400, "ControlRefused", str(error))
        except AssertionError as error:
            return _error(409, "AssertionFailed", str(error))


@cache
def _page() -> Response:
    body = resources.files(__package__ or "").joinpath("page.html").read_bytes()
    return html_response(200, body, policy=_POLICY)


def _error(status: int, code: str, message: str) -> Response:
    return json_response(status, {"error": {"code": code, "message": message}})
