"""The operations that are measured, as OpenAPI, for generators."""

from __future__ import annotations

from typing import TypeAlias

Spec: TypeAlias = dict[str, object]

_TEXT: Spec = {"type": "string"}
_NUMBER: Spec = {"type": "number", "format": "double"}
_MOMENT: Spec = {"type": "string", "format": "date-time"}


def contract() -> Spec:
    """
    Describe the operations.

    Returns:
        An OpenAPI document.
    """
    return {
        "openapi": "3.0.3",
        "info": {"title": "measured", "version": "1"},
        "paths": {
            "/imodels/favorites": {
                "get": _list(
                    "list_imodels", "IModels", ("iTwinId", "$top:int", "$continuationToken")
                )
            },
            "/itwins/favorites": {"get": _list("list_itwins", "ITwins", ("$top:int", "$skip:int"))},
            "/imodels/favorites/{id}": {"put": _put()},
        },
        "components": {"schemas": _schemas()},
    }


def _list(name: str, answer: str, query: tuple[str, ...]) -> Spec:
    parameters = [_parameter("Prefer", "header")]
    parameters += [_parameter(each, "query") for each in query]
    content = {"application/json": {"schema": _ref(answer)}}
    return {
        "operationId": name,
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content}},
    }


def _put() -> Spec:
    return {
        "operationId": "add_imodel",
        "parameters": [_parameter("id", "path") | {"required": True}],
        "responses": {"204": {"description": "No Content"}},
    }


def _schemas() -> Spec:
    return {
        "Link": _object(href=_TEXT),
        "PageLinks": _object(self=_ref("Link"), next=_ref("Link")),
        "Point": _object(latitude=_NUMBER, longitude=_NUMBER),
        "Extent": _object(southWest=_ref("Point"), northEast=_ref("Point")),
        "IModelLinks": _object(
            creator=_ref("Link"), changesets=_ref("Link"), namedVersions=_ref("Link")
        ),
        "IModel": _object(
            *("id", "displayName", "dataCenterLocation", "name", "description", "state", "iTwinId"),
            createdDateTime=_MOMENT,
            lastChangesetPushDateTime=_MOMENT,
            isSecured={"type": "boolean"},
            extent=_ref("Extent"),
            containersEnabled={"type": "integer"},
            _links=_ref("IModelLinks"),
        ),
        "ITwin": _object(
            *("id", "class", "subClass", "type", "number", "displayName", "geographicLocation"),
            *("ianaTimeZone", "dataCenterLocation", "status", "parentId", "iTwinAccountId"),
            *("createdBy", "lastModifiedBy"),
            latitude=_NUMBER,
            longitude=_NUMBER,
            createdDateTime=_MOMENT,
            lastModifiedDateTime=_MOMENT,
        ),
        "IModels": _object(iModels=_many("IModel"), _links=_ref("PageLinks")),
        "ITwins": _object(iTwins=_many("ITwin"), _links=_ref("PageLinks")),
    }


def _parameter(text: str, place: str) -> Spec:
    name, _, kind = text.partition(":")
    return {"name": name, "in": place, "schema": {"type": "integer"} if kind else _TEXT}


def _object(*texts: str, **properties: Spec) -> Spec:
    return {"type": "object", "properties": dict.fromkeys(texts, _TEXT) | properties}


def _ref(name: str) -> Spec:
    return {"$ref": f"#/components/schemas/{name}"}


def _many(name: str) -> Spec:
    return {"type": "array", "items": _ref(name)}
