"""Entities of one kind: how they are found, changed and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.api import Api
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.paging import Paging, kept_filters, link
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.schemas import (
    PAGING_LINKS,
    Problem,
    arrays,
    define,
    known,
    objects,
    problems,
)
from itwin_async.emulator.world.records import members

R = TypeVar("R", bound="attrs.AttrsInstance")


@attrs.frozen(kw_only=True)
class Entities(Generic[R]):
    """
    Entities of one kind.

    Args:
        api: the API family.
        name: the kind, as in codes of errors and names of schemas.
        key: the envelope of one entity, and its name in messages.
        keys: the envelope of a list.
        schema: the full representation.
        show: writes it; the second argument is what `base` returns.
        complete: changes what was written where it depends on the caller, the world or the time.
        find: finds the entity of an id for a caller.
        put: puts a new or changed entity into the world.
        drop: removes one from the world.
        summary_schema: the minimal representation, if there is one.
        summarize: writes it.
        complete_summary: changes what was written where it depends on caller or world.
        converters: by member of a body, what converts a value that is not null.
        list_failure: the message of a list's 422.
        unique: the member that no other entity may share.
        taken: whether another entity has it.
        paging: how lists are divided into pages; they are whole when None.
        base: the beginning of its links: scheme and host, or the parent.
        join: makes the items of a page from its rows as they are shown.
        parent: what the path names before; its id is checked first.
        id_name: the placeholder of the id.
        word: its name in messages, if it is not that of its envelope.
        linked: whether lists have links.
        body_detail: the detail for a problem of a body; that of the API when None.

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
    complete: Callable[[Call, R, JsonObject], JsonObject] = lambda _, __, shown: shown
    unique: str = ""
    taken: Callable[[Call, R], bool] = lambda _, __: False
    paging: Paging | None = None
    base: Callable[[Call], str] = lambda call: call.origin
    join: Callable[[list[Json]], list[Json]] = lambda shown: shown
    parent: Entities[Any] | None = None
    id_name: str = "id"
    word: str = attrs.field(default=attrs.Factory(lambda self: self.key, takes_self=True))
    linked: bool = True
    complete_summary: Callable[[Call, R, JsonObject], JsonObject] = lambda _, __, shown: shown
    body_detail: Callable[[Problem], errors.Detail] | None = None

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

    def content(
        self, call: Call, schema: JsonObject, failure: str, *, required: bool = True
    ) -> JsonObject:
        """Return a body that its schema allows; OperationError for any other."""
        if not required and not call.request.body:
            return {}
        if self.api.json_only and call.content_type not in {"", "application/json"}:
            raise errors.OperationError(errors.unsupported_media_type())
        content = call.content()
        details: dict[object, errors.Detail] = {}
        try:
            if content is not None or self.api.names_missing:
                for problem in problems(content or {}, schema):
                    target = problem.path[0] if problem.path else None
                    detail = (self.body_detail or self.api.body_detail)(problem)
                    details.setdefault(target, detail)
        except RecursionError:
            content = None  # nested too deep
        if content is None:
            details[None] = errors.UNPARSABLE
        if content is None or details:
            response = self.api.invalid(failure, list(details.values()))
            raise errors.OperationError(response)
        # The platform ignores members that it does not know.
        return known(content, schema)

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
        return self.complete(call, entity, self.show(entity, self.base(call)))

    def _minimal(self, call: Call, entity: R) -> JsonObject:
        assert self.summarize is not None  # noqa: S101 - only asked where there is one
        return self.complete_summary(call, entity, self.summarize(entity))

    def _preferred(self, call: Call) -> Callable[[R], JsonObject]:
        base, selected = self.base(call), call.text("$select")

        def full(entity: R) -> JsonObject:
            return self.complete(call, entity, self.show(entity, base))

        if selected:
            names = {name.strip() for name in selected.split(",")}
            return lambda entity: {
                name: value for name, value in full(entity).items() if name in names
            }
        if self.summary_schema is not None and not call.full:
            return lambda entity: self._minimal(call, entity)
        return full

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

    def store(self, call: Call, entity: R) -> None:
        """Put an entity; OperationError if another one has what must be unique."""
        if self.unique and self.taken(call, entity):
            message = f"The {self.unique} is already in use."
            details = [errors.Detail("InvalidValue", message, self.unique)]
            text = f"{errors.words_of(self.name)} already exists."
            raise errors.OperationError(errors.error(409, f"{self.name}Exists", text, details))
        self.put(call, entity)
