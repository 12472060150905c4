"""The one collection that all APIs declare their operations with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.entities import Entities
from itwin_async.emulator.platform.routes import Check, Parameter, Route
from itwin_async.emulator.responses import Response

R = TypeVar("R", bound="attrs.AttrsInstance")
Handler: TypeAlias = Callable[["Call"], Response]


@attrs.frozen(kw_only=True)
class Collection(Entities[R]):
    """Entities of one kind, and the operations on them."""

    def list(
        self,
        operation: str,
        title: str,
        rows: Callable[[Call], Sequence[R]],
        *,
        parameters: Sequence[Parameter] = (),
        checks: Sequence[Check] = (),
        link_path: str = "",
        headers: Callable[[Call], Mapping[str, str]] = lambda _: {},
    ) -> Route:
        """
        Declare a list.

        Args:
            operation: method and path.
            title: the platform's name of the operation.
            rows: finds all rows that a call is for.
            parameters: what it takes beside the parameters of a page.
            checks: further checks of the parameters.
            link_path: the path in its links, if it differs.
            headers: further headers of the response.

        """
        link_path = link_path or operation.partition(" ")[2]
        paged = self.paging
        if paged is not None:
            required = [one for one in parameters if one.required]
            optional = [one for one in parameters if not one.required]
            parameters = (*required, *paged.parameters, *optional)
            checks = (paged.check, *checks)

        def handler(call: Call) -> Response:
            self._check_parent(call)
            items, links = self._page(call, rows(call), parameters, link_path)
            shown: list[Json] = list(map(self._preferred(call), items))
            content: JsonObject = {self.keys: self.join(shown), "_links": links}
            if not self.linked:
                del content["_links"]
            return call.respond(200, content, headers(call))

        return self._route(
            operation,
            title,
            handler,
            parameters=parameters,
            checks=checks,
            failure=self.list_failure,
            results=self._list_schemas(),
            prefers=self.summary_schema is not None,
        )

    def get(
        self,
        operation: str,
        title: str,
        find: Callable[[Call], R] | None = None,
        *,
        shown: Literal["full", "minimal", "preferred"] = "full",
    ) -> Route:
        """
        Declare the reading of one entity.

        Args:
            operation: method and path.
            title: the platform's name of the operation.
            find: finds the entity; that of the path when None.
            shown: which representation; `preferred` is the one that `Prefer` selects.

        """

        def handler(call: Call) -> Response:
            found = self.one(call) if find is None else find(call)
            if shown == "minimal" and self.summarize is not None:
                content = self._minimal(call, found)
            elif shown == "preferred":
                content = self._preferred(call)(found)
            else:
                content = self._full(call, found)
            return call.respond(200, {self.key: content})

        results: list[JsonObject] = []
        if shown != "full":
            results.append(self._envelope("Summary", self.summary_schema))
        if shown != "minimal":
            results.append(self._envelope("", self.schema))
        prefers = shown == "preferred"
        return self._route(operation, title, handler, results=results, prefers=prefers)

    def create(
        self,
        operation: str,
        title: str,
        make: Callable[[Call, JsonObject], R],
        *,
        body: JsonObject,
        finish: Callable[[Call, R, JsonObject], JsonObject] = lambda _, __, shown: shown,
        **facts: Any,  # noqa: ANN401 - fields of a route
    ) -> Route:
        """
        Declare the creation of an entity.

        Args:
            operation: method and path.
            title: the platform's name of the operation.
            make: makes the entity from a body that was checked.
            body: the schema of the body.
            finish: changes how the new entity is shown.
            facts: what else is true of the route.

        """
        required = facts.get("body_required", True)

        def handler(call: Call) -> Response:
            self._check_parent(call)
            failure = facts.get("failure") or f"Cannot create {self.word}."
            made = make(call, self.content(call, body, failure, required=required))
            self.store(call, made)
            return call.respond(201, {self.key: finish(call, made, self._full(call, made))})

        return self._route(operation, title, handler, body=body, success=201, **facts)

    def update(
        self,
        operation: str,
        title: str,
        *,
        body: JsonObject,
        stamp: Callable[[Call, R], R] = lambda _, entity: entity,
        finish: Callable[[Call, R, JsonObject], JsonObject] = lambda _, __, shown: shown,
        **facts: Any,  # noqa: ANN401 - fields of a route
    ) -> Route:
        """
        Declare the change of an entity.

        Args:
            operation: method and path.
            title: the platform's name of the operation.
            body: the schema of the body.
            stamp: changes what the platform itself changes.
            finish: changes how the changed entity is shown.
            facts: what else is true of the route.

        """
        failure = facts.get("failure") or f"Cannot update {self.word}."

        def handler(call: Call) -> Response:
            found = self.one(call)
            content = self.content(call, body, failure)
            changed = stamp(call, self.changed(found, content))
            self.store(call, changed)
            return call.respond(200, {self.key: finish(call, changed, self._full(call, changed))})

        return self._route(operation, title, handler, body=body, **facts)

    def delete(self, operation: str, title: str, **facts: Any) -> Route:  # noqa: ANN401 - fields of a route
        """Declare the deletion of an entity."""
        return self.act(operation, title, self.drop, **facts)

    def act(
        self,
        operation: str,
        title: str,
        action: Callable[[Call, R], object],
        **facts: Any,  # noqa: ANN401 - fields of a route
    ) -> Route:
        """Declare an operation on an entity that answers nothing."""

        def handler(call: Call) -> Response:
            action(call, self.one(call))
            return Response(204)

        return self._route(operation, title, handler, success=204, results=(), **facts)

    def receive(
        self,
        operation: str,
        title: str,
        action: Callable[[Call, R, JsonObject], object],
        *,
        body: JsonObject,
    ) -> Route:
        """Declare an operation on an entity that takes a body and answers nothing."""

        def handler(call: Call) -> Response:
            found = self.one(call)
            action(call, found, self.content(call, body, f"Cannot update {self.word}."))
            return Response(204)

        return self._route(operation, title, handler, body=body, success=204, results=())

    def answer(
        self,
        operation: str,
        title: str,
        result: Callable[[Call, R], JsonObject],
        *,
        schema: JsonObject,
        parameters: Sequence[Parameter] = (),
    ) -> Route:
        """Declare the reading of something else than an entity, without an envelope."""

        def handler(call: Call) -> Response:
            return call.respond(200, result(call, self.one(call)))

        return self._route(
            operation,
            title,
            handler,
            parameters=parameters,
            failure=self.list_failure,
            results=[schema],
        )

    def _route(self, operation: str, title: str, handler: Handler, **facts: Any) -> Route:  # noqa: ANN401 - fields of a route
        method, _, path = operation.partition(" ")
        facts.setdefault("results", [self._envelope("", self.schema)])
        facts.setdefault("conflicts", "body" in facts and self.unique != "")
        return Route(method=method, path=path, title=title, api=self.api, handler=handler, **facts)
