"""Operations as declarations, and which of them a request means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias
from urllib.parse import unquote

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.api import Api
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.schemas import problems
from itwin_async.emulator.requests import is_variable
from itwin_async.emulator.responses import Response

Check: TypeAlias = Callable[["Call"], "list[Detail]"]

_ANY_MEDIA_TYPE = {"*/*", "application/*", "application/json"}
_LONGEST_INTEGER = 11


@attrs.frozen
class Parameter:
    """
    A parameter of a query, or a header.

    Args:
        name: its name.
        schema: the schema of its values.
        required: whether it must be there.
        message: the error for an invalid value; the usual one when empty.
        where: query or header.

    """

    name: str
    schema: JsonObject
    required: bool = attrs.field(default=False, kw_only=True)
    message: str = attrs.field(default="", kw_only=True)
    where: Literal["query", "header"] = attrs.field(default="query", kw_only=True)

    def read(self, call: Call) -> Json | Detail:
        """Return its value in a call, or what is wrong with it."""
        source = call.query if self.where == "query" else call.request.headers
        text = source.get(self.name)
        if text is None:
            if self.required:
                message = "Required parameter is missing."
                return errors.Detail("MissingRequiredParameter", message, self.name)
            return self.schema.get("default")
        value = self._convert(text)
        if value is not None and not any(problems(value, self.schema)):
            return value
        code = "InvalidValue" if self.where == "query" else "InvalidHeaderValue"
        if self.message:
            return errors.Detail(code, self.message, self.name)
        return errors.invalid(self.name, text, code)

    def _convert(self, text: str) -> Json:
        kind = self.schema.get("type")
        if kind == "boolean":
            return {"true": True, "false": False}.get(text.lower())
        if kind == "integer":
            digits = text.removeprefix("+")
            sound = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_INTEGER
            return int(digits) if sound else None
        return text


@attrs.frozen
class ServedOperation:
    """
    An operation that the emulator serves.

    Args:
        method: the HTTP method.
        path: the path, with `{id}` and the like for ids.
        title: the platform's name of the operation.

    """

    method: str
    path: str
    title: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@attrs.frozen(kw_only=True)
class Route(ServedOperation):
    """
    An operation of the platform, with all that its OpenAPI description says.

    Args:
        api: its API family.
        handler: what answers.
        parameters: what it takes in query and headers.
        checks: further checks of the parameters.
        failure: the message of the 422 for wrong parameters.
        body: the schema of the body.
        body_required: whether there must be one.
        success: the status of success.
        results: the schemas of the answer.
        prefers: whether `Prefer` selects one of them.
        conflicts: whether it answers 409 for a taken name.
        forbids: whether it answers 403 although its API answers 404 elsewhere.
        refuses: whether it answers 422 without parameters and body.
        takes: the media types of a body that is not JSON.
        gives: the media type of an answer that is not JSON.

    """

    api: Api
    handler: Callable[[Call], Response]
    parameters: Sequence[Parameter] = ()
    checks: Sequence[Check] = ()
    failure: str = ""
    body: JsonObject | None = None
    body_required: bool = True
    success: int = 200
    results: Sequence[JsonObject] = ()
    prefers: bool = False
    conflicts: bool = False
    forbids: bool = False
    refuses: bool = False
    takes: Sequence[str] = ()
    gives: str = ""

    def accepts(self, header: str | None) -> bool:
        """Whether an `Accept` header allows the answer."""
        if header is None or not header.strip():
            return True
        kinds = {re.split(r"\s*;", kind.strip(), maxsplit=1)[0] for kind in header.split(",")}
        given = {self.gives, f"{self.gives.partition('/')[0]}/*"} if self.gives else set[str]()
        known = {*_ANY_MEDIA_TYPE, self.api.media_type, *given}
        return not known.isdisjoint(map(str.lower, kinds))

    def respond(self, call: Call) -> Response:
        """Check the parameters and run the handler."""
        read = {parameter.name: parameter.read(call) for parameter in self.parameters}
        details = [value for value in read.values() if isinstance(value, errors.Detail)]
        values = {k: v for k, v in read.items() if not isinstance(v, errors.Detail)}
        call = attrs.evolve(call, values=values)
        try:
            for check in self.checks:
                details += check(call)
            if details:
                return self.api.invalid(self.failure, details)
            if self.takes and call.content_type not in self.takes:
                return errors.unsupported_media_type(self.takes)
            return self.handler(call)
        except errors.OperationError as error:
            return error.response


class Router:
    """
    Finds operations.

    Args:
        routes: the operations.

    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        words: dict[str, set[str]] = {}
        for route in self.routes:
            words.setdefault(f"/{route.api.name}", set()).update(route.api.words)
            for before, segment in _segments(route.path):
                words.setdefault(before, set()).add(segment)
        self._patterns = [(route, _pattern(route.path, words)) for route in self.routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | Response:
        """Return the operation of a request and the values of its placeholders, or 404 or 405."""
        plain = path.removesuffix("/")
        found: dict[str, tuple[Route, dict[str, str]]] = {}
        id_missing = False
        for route, pattern in self._patterns:
            match = pattern.fullmatch(plain)
            if match is not None:
                values = {k: unquote(v, errors="replace") for k, v in match.groupdict().items()}
                found[route.method] = route, values
            elif route.method == method and path != plain and route.path.endswith("}"):
                id_missing = id_missing or pattern.fullmatch(f"{plain}/id") is not None
        if method in found:
            return found[method]
        if id_missing or not found:
            return errors.RESOURCE_NOT_FOUND
        return errors.method_not_allowed(found)


def _segments(path: str) -> Iterator[tuple[str, str]]:
    """Yield each segment of a template with what is before it, the names of variables left out."""
    before = ""
    for segment in path.removeprefix("/").split("/"):
        yield before, segment
        before += "/{}" if is_variable(segment) else f"/{segment}"


def _pattern(path: str, words: Mapping[str, set[str]]) -> re.Pattern[str]:
    """Return what matches a template; a fixed segment is never the value of a variable."""
    text = ""
    for before, segment in _segments(path):
        if is_variable(segment):
            fixed = "|".join(sorted(word for word in words[before] if not is_variable(word)))
            text += f"/(?!(?:{fixed})(?:/|$))" if fixed else "/"
            text += f"(?P<{segment.strip('{}')}>[^/]+)"
        else:
            text += f"/{segment}"
    return re.compile(text, re.IGNORECASE)
