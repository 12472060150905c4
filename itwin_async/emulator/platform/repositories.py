"""The iTwins API: repositories."""

from __future__ import annotations

from typing import cast

import attrs

from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.platform import api, errors
from itwin_async.emulator.platform import schemas as s
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.collection import Collection
from itwin_async.emulator.platform.errors import Detail
from itwin_async.emulator.platform.itwins import ITWINS
from itwin_async.emulator.platform.routes import Parameter
from itwin_async.emulator.platform.schemas import Problem
from itwin_async.emulator.world.repositories import (
    CLASSES_WITH_RESOURCES,
    GENERATED_CLASSES,
    SUB_CLASSES,
    RepositoryRecord,
    repositories_of,
)

_KNOWN_SUB_CLASSES = [name for names in SUB_CLASSES.values() for name in names]
_CLASS_MESSAGE = "Class value is incorrect."
_SUB_CLASS_MESSAGE = "SubClass value is incorrect."
_FULL_TEXT: JsonObject = {"type": "string", "minLength": 1}
AUTHENTICATION = s.define(
    "RepositoryAuthentication",
    s.objects(
        {
            "type": s.texts("Header", "QueryParameter", "Basic"),
            **s.each(s.TEXT, "key value username password"),
        },
        "type",
        nullable=True,
        anyOf=[
            {"properties": {"type": s.texts(*types)}, "required": list[Json](members)}
            for types, members in (
                (("Header", "QueryParameter"), ("key", "value")),
                (("Basic",), ("username", "password")),
            )
        ],
    ),
)
URI = s.define("Capability", s.objects({"uri": s.TEXT}, "uri"))
_CHANGE: JsonObject = {
    "displayName": s.SHORT_TEXT,
    "uri": _FULL_TEXT,
    "authentication": AUTHENTICATION,
    "options": s.define(
        "RepositoryOptions",
        s.objects(
            {
                "queryParameters": {"type": "object", "additionalProperties": s.TEXT},
                "minimumLevel": {"type": "integer"},
                "maximumLevel": {"type": "integer"},
            },
            nullable=True,
            additionalProperties=True,
        ),
    ),
}
_REPOSITORY = s.define(
    "iTwinRepository",
    s.objects(
        {
            **s.each(s.TEXT, "id class"),
            "subClass": s.TEXT_OR_NULL,
            **_CHANGE,
            "capabilities": s.objects({"resources": URI}),
        },
        "id",
        "class",
        "uri",
    ),
)


def _kind_of(class_: str) -> JsonObject:
    return {
        "properties": {"class": s.texts(class_), "subClass": s.texts(*SUB_CLASSES[class_])},
        "required": ["subClass"],
    }


_CREATE = s.define(
    "iTwinRepositoryCreate",
    s.objects(
        {"class": s.texts(*SUB_CLASSES), "subClass": s.texts(*_KNOWN_SUB_CLASSES), **_CHANGE},
        "class",
        "uri",
        additionalProperties=True,
        anyOf=[_kind_of(class_) for class_ in SUB_CLASSES],
    ),
)
_UPDATE = s.define("iTwinRepositoryUpdate", s.objects(_CHANGE, additionalProperties=True))
_FILTERS = (
    Parameter(
        "class", s.texts(*dict.fromkeys([*SUB_CLASSES, *GENERATED_CLASSES])), message=_CLASS_MESSAGE
    ),
    Parameter("subClass", s.texts(*_KNOWN_SUB_CLASSES), message=_SUB_CLASS_MESSAGE),
)


def _body_detail(problem: Problem) -> Detail:
    name = problem.path[0]
    if name == "subClass":
        return Detail("InvalidValue", _SUB_CLASS_MESSAGE)
    if name == "class" and problem.keyword != "required":
        return Detail("InvalidValue", _CLASS_MESSAGE)
    if problem.keyword == "minLength":
        return errors.missing(str(name))
    return api.ITWINS.body_detail(problem)


def _check_sub_class(call: Call) -> list[Detail]:
    class_, sub_class = call.text("class"), call.text("subClass")
    if sub_class is None or sub_class in SUB_CLASSES.get(class_ or "", ()):
        return []
    return [Detail("InvalidValue", _SUB_CLASS_MESSAGE, "subClass")]


def _owner(call: Call) -> str | None:
    """Return the id of the iTwin of a path; empty if it names none, None if it is unknown."""
    if ITWINS.id_name not in call.params:
        return ""
    itwin = ITWINS.find(call, call.params[ITWINS.id_name])
    return None if itwin is None else itwin.id


def _find(call: Call, repository_id: str) -> RepositoryRecord | None:
    owner = _owner(call)
    return None if owner is None else repositories_of(call.world, owner).get(repository_id.lower())


def _repositories(call: Call) -> list[RepositoryRecord]:
    class_, sub_class = call.text("class"), call.text("subClass")
    return [
        repository
        for repository in repositories_of(call.world, _owner(call) or "").values()
        if class_ in {None, repository.class_} and sub_class in {None, repository.sub_class}
    ]


def _create(call: Call, content: JsonObject) -> RepositoryRecord:
    new = RepositoryRecord(id=f"{_owner(call)}/{call.world.new_id()}", class_="", uri="")
    return REPOSITORIES.changed(new, content)


def _taken(call: Call, repository: RepositoryRecord) -> bool:
    def place(one: RepositoryRecord) -> tuple[str | None, ...]:
        return one.class_, one.sub_class, one.uri

    others = repositories_of(call.world, repository.itwin_id).values()
    return any(place(one) == place(repository) for one in others if one.id != repository.id)


def _checked(call: Call, repository: RepositoryRecord) -> RepositoryRecord:
    """Return a repository that a caller may change or delete, or fail with 422."""
    if repository.generated:
        message = "The repository is generated by the platform."
        verb = "delete" if call.request.method == "DELETE" else "update"
        failure = f"Cannot {verb} iTwin Repository."
        response = api.ITWINS.invalid(failure, [Detail("InvalidValue", message)])
        raise errors.OperationError(response)
    return repository


def _drop(call: Call, repository: RepositoryRecord) -> None:
    found = _checked(call, repository)
    call.world.belongings.drop(RepositoryRecord, found.id, found.itwin_id)


def _shown(repository: RepositoryRecord, origin: str) -> JsonObject:
    uri = f"{origin}{repository.uri}" if repository.uri.startswith("/") else repository.uri
    optional: JsonObject = {
        "displayName": repository.display_name,
        "uri": uri,
        "authentication": cast("JsonObject | None", repository.authentication),
        "options": repository.options,
    }
    shown: JsonObject = {
        "id": repository.own_id,
        "class": repository.class_,
        "subClass": repository.sub_class,
        **{name: value for name, value in optional.items() if value is not None},
    }
    if repository.class_ in CLASSES_WITH_RESOURCES:
        shown["capabilities"] = {"resources": {"uri": f"{origin}{repository.path}/resources"}}
    return shown


# Which of the two is told to be unknown differs from operation to operation.
REPOSITORIES = Collection[RepositoryRecord](
    api=api.ITWINS,
    name="iTwinRepository",
    key="repository",
    keys="repositories",
    schema=_REPOSITORY,
    show=_shown,
    find=_find,
    put=lambda call, repository: call.world.belongings.put(repository, repository.itwin_id),
    drop=_drop,
    list_failure="Cannot get iTwin Repositories.",
    unique="uri",
    taken=_taken,
    id_name="repositoryId",
    linked=False,
    body_detail=_body_detail,
)
REPOSITORIES_OF_ITWIN = attrs.evolve(REPOSITORIES, parent=ITWINS)

_ALL = "/itwins/{id}/repositories"
_ONE = f"{_ALL}/{{repositoryId}}"

ROUTES = (
    REPOSITORIES_OF_ITWIN.list(
        f"GET {_ALL}",
        "Get Repositories",
        _repositories,
        parameters=_FILTERS,
        checks=(_check_sub_class,),
    ),
    REPOSITORIES_OF_ITWIN.create(
        f"POST {_ALL}",
        "Create Repository",
        _create,
        body=_CREATE,
        failure="Cannot add iTwin Repository.",
    ),
    REPOSITORIES.get(f"GET {_ONE}", "Get Repository"),
    REPOSITORIES.update(
        f"PATCH {_ONE}",
        "Update Repository",
        body=_UPDATE,
        stamp=_checked,
        failure="Cannot update iTwin Repository.",
    ),
    REPOSITORIES_OF_ITWIN.delete(f"DELETE {_ONE}", "Delete Repository", refuses=True),
    REPOSITORIES.list(
        "GET /itwins/repositories",
        "Get Global Repositories",
        _repositories,
        parameters=_FILTERS,
        checks=(_check_sub_class,),
    ),
    REPOSITORIES.get("GET /itwins/repositories/{repositoryId}", "Get Global Repository"),
)
