"""The one collection that all APIs declare their operations with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.api import Api
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.paging import Paging, kept_filters, link
from itwin_async.emulator.platform.routes import Check, Parameter, Route
from itwin_async.emulator.platform.schemas import PAGING_LINKS, arrays, define, objects, problems
from itwin_async.emulator.responses import Response
from itwin_async.emulator.world.records import members

R = TypeVar("R", bound="attrs.AttrsInstance")
Handler: TypeAlias = Callable[["Call"], Response]


@attrs.frozen(kw_only=True)
class Collection(Generic[R]):
    """
    Entities of one kind, and the operations on them.

    Args:
        api: the API family.
        name: the kind, as in codes of errors and names of schemas.
        key: the envelope of one entity, and its name in messages.
        keys: the envelope of a list.
        schema: the full representation.
        show: writes it; the second argument is scheme and host of its links.
        find: finds the entity of an id for a caller.
        put: puts a new or changed entity into the world.
        drop: removes one from the world.
        summary_schema: the minimal representation, if there is one.
        summarize: writes it.
        converters: by member of a body, what converts a value that is not null.
        list_failure: the message of a list's 422.
        unique: the member that no other entity may share.
        taken: whether another entity has it.
        paging: how lists are divided into pages; they are whole when None.
        parent: what the path names before; its id is checked first.
        id_name: the placeholder of the id.

    """

    api: Api
    name: str
    key: str
    keys: str
    schema: JsonObject
    show: Callable[[R, str], JsonObject]
    find: Callable[[Call, str], R | None]
    put: Callable[[Call, R], object]
    drop: Callable[[Call, R], object]
    summary_schema: JsonObject | None = None
    summarize: Callable[[R], JsonObject] | None = None
    converters: Mapping[str, Callable[[Any], object]] = attrs.field(factory=dict[str, Any])
    list_failure: str = ""
    unique: str = ""
    taken: Callable[[Call, R], bool] = lambda _, __: False
    paging: Paging | None = None
    parent: Collection[Any] | None = None
    id_name: str = "id"

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
            content: JsonObject = {self.keys: shown, "_links": links}
            return call.respond(200, content, headers(call))

        return self._route(
            operation,
            title,
            handler,
            parameters=parameters,
            checks=checks,
            failure=self.list_failure,
            results=self._list_schemas(),
            prefers=self.summarize is not None,
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
                content = self.summarize(found)
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
        finish: Callable[[JsonObject], JsonObject] = lambda shown: shown,
    ) -> Route:
        """
        Declare the creation of an entity.

        Args:
            operation: method and path.
            title: the platform's name of the operation.
            make: makes the entity from a body that was checked.
            body: the schema of the body.
            finish: changes how the new entity is shown.

        """

        def handler(call: Call) -> Response:
            self._check_parent(call)
            made = make(call, self._content(call, body, f"Cannot create {self.key}."))
            self._put(call, made)
            return call.respond(201, {self.key: finish(self._full(call, made))})

        return self._route(operation, title, handler, body=body, success=201)

    def update(
        self,
        operation: str,
        title: str,
        *,
        body: JsonObject,
        stamp: Callable[[Call, R], R] = lambda _, entity: entity,
    ) -> Route:
        """
        Declare the change of an entity.

        Args:
            operation: method and path.
            title: the platform's name of the operation.
            body: the schema of the body.
            stamp: changes what the platform itself changes.

        """

        def handler(call: Call) -> Response:
            found = self.one(call)
            content = self._content(call, body, f"Cannot update {self.key}.")
            changed = stamp(call, self.changed(found, content))
            self._put(call, changed)
            return call.respond(200, {self.key: self._full(call, changed)})

        return self._route(operation, title, handler, body=body)

    def delete(self, operation: str, title: str) -> Route:
        """Declare the deletion of an entity."""
        return self.act(operation, title, self.drop)

    def act(self, operation: str, title: str, action: Callable[[Call, R], object]) -> Route:
        """Declare an operation on an entity that answers nothing."""

        def handler(call: Call) -> Response:
            action(call, self.one(call))
            return Response(204)

        return self._route(operation, title, handler, success=204, results=())

    def one(self, call: Call) -> R:
        """Return the entity that a path names; OperationError if the caller cannot see it."""
        self._check_parent(call)
        found = self.find(call, call.params[self.id_name])
        if found is None:
            raise errors.OperationError(errors.not_found(self.name))
        return found

    def id_of(self, call: Call) -> str:
        """Return the id of the entity that a path names; OperationError if there is none."""
        found: str = self.one(call).id  # type: ignore[attr-defined] # all records have one
        return found

    def changed(self, entity: R, content: JsonObject) -> R:
        """Return an entity with what a body says."""
        changes: dict[str, Any] = {}
        for member, attribute in members(type(entity)).items():
            if member in content:
                value, convert = content[member], self.converters.get(member)
                changes[attribute] = value if value is None or convert is None else convert(value)
        return attrs.evolve(entity, **changes)  # type: ignore[misc] # records are attrs classes

    def _route(self, operation: str, title: str, handler: Handler, **facts: Any) -> Route:  # noqa: ANN401 - fields of a route
        method, _, path = operation.partition(" ")
        facts.setdefault("results", [self._envelope("", self.schema)])
        facts.setdefault("conflicts", "body" in facts and self.unique != "")
        return Route(method=method, path=path, title=title, api=self.api, handler=handler, **facts)

    def _envelope(self, kind: str, schema: JsonObject | None) -> JsonObject:
        return define(f"{self.name}{kind}Response", objects({self.key: schema}, self.key))

    def _list_schemas(self) -> Sequence[JsonObject]:
        def envelope(name: str, item: JsonObject) -> JsonObject:
            members: JsonObject = {self.keys: arrays(item), "_links": PAGING_LINKS}
            return define(name, objects(members, self.keys))

        if self.summary_schema is None:
            return [envelope(f"{self.name}sResponse", self.schema)]
        return [
            envelope(f"{self.keys}Minimal", self.summary_schema),
            envelope(f"{self.keys}Representation", self.schema),
        ]

    def _check_parent(self, call: Call) -> None:
        if self.parent is not None:
            self.parent.one(call)

    def _full(self, call: Call, entity: R) -> JsonObject:
        return self.show(entity, call.origin)

    def _preferred(self, call: Call) -> Callable[[R], JsonObject]:
        origin, selected = call.origin, call.text("$select")
        if selected:
            names = {name.strip() for name in selected.split(",")}
            return lambda entity: {
                name: value for name, value in self.show(entity, origin).items() if name in names
            }
        if self.summarize is not None and not call.full:
            return self.summarize
        return lambda entity: self.show(entity, origin)

    def _page(
        self,
        call: Call,
        rows: Sequence[R],
        parameters: Sequence[Parameter],
        path: str,
    ) -> tuple[Sequence[R], JsonObject]:
        filters = kept_filters(call, parameters, path)
        names = {**call.values, **call.params}
        path = path.format_map({name: str(value).lower() for name, value in names.items()})
        if self.paging is None:
            return rows, {"self": link(call, path, filters)}
        found = self.paging.page(call, rows, path, filters)
        if isinstance(found, errors.Detail):
            raise errors.OperationError(self.api.invalid(self.list_failure, [found]))
        items, links = found
        nulls = call.style.null_links
        if not (self.api.null_links if nulls is None else nulls):
            return items, {name: href for name, href in links.items() if href is not None}
        return items, links

    def _content(self, call: Call, schema: JsonObject, failure: str) -> JsonObject:
        if self.api.json_only and call.content_type not in {"", "application/json"}:
            raise errors.OperationError(errors.UNSUPPORTED_MEDIA_TYPE)
        content = call.content()
        details: dict[object, errors.Detail] = {}
        if content is not None or self.api.names_missing:
            for problem in problems(content or {}, schema):
                details.setdefault(problem.path[0], self.api.body_detail(problem))
        if content is None:
            details[None] = errors.UNPARSABLE
        if content is None or details:
            response = self.api.invalid(failure, list(details.values()))
            raise errors.OperationError(response)
        return content

    def _put(self, call: Call, entity: R) -> None:
        if self.unique and self.taken(call, entity):
            message = f"The {self.unique} is already in use."
            details = [errors.Detail("InvalidValue", message, self.unique)]
            text = f"{self.name} already exists."
            raise errors.OperationError(errors.error(409, f"{self.name}Exists", text, details))
        self.put(call, entity)
