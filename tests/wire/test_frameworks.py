"""FastAPI and Litestar answer with models, and document them, with the platform's names."""

# No postponed annotations here: the frameworks look for names in the module, not in the test.
from typing import Annotated, Any

import msgspec
import pytest
from asgi import asgi

from itwin_async import Link, imodels, saved_views, to_dict

WHOLE = imodels.IModel(
    "a",
    display_name="Pier",
    is_secured=False,
    extent=imodels.Extent(imodels.Point(1.0, 2.0), imodels.Point(3.0, 4.0)),
    links=imodels.IModelLinks(creator=Link("https://x/users/1")),
)


def test_fastapi_answers_with_models_and_documents_them() -> None:
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()

    @app.get("/imodels")
    async def listed() -> list[imodels.IModel]:
        return [WHOLE]

    @app.get("/summary", response_model=imodels.IModelSummary)
    async def summary() -> Any:
        return WHOLE

    @app.post("/imodels")
    async def made(imodel: Annotated[imodels.IModel, fastapi.Body()]) -> imodels.IModel:
        return imodel

    document = app.openapi()
    schemas = document["components"]["schemas"]
    assert {"IModel", "IModelSummary", "Extent", "Point", "IModelLinks"} <= set(schemas)
    assert not [name for name in schemas if name.endswith(("-Input", "-Output"))]
    answer = document["paths"]["/imodels"]["get"]["responses"]["200"]["content"]
    items = answer["application/json"]["schema"]["items"]
    assert items == {"$ref": "#/components/schemas/IModel"}
    assert asgi(app, "GET", "/imodels") == (200, [to_dict(WHOLE)])
    assert asgi(app, "GET", "/summary") == (200, {"id": "a", "displayName": "Pier"})
    assert asgi(app, "POST", "/imodels", to_dict(WHOLE)) == (200, to_dict(WHOLE))
    status, refused = asgi(app, "POST", "/imodels", {"id": 1})
    assert (status, refused["detail"][0]["loc"]) == (422, ["body", "id"])


def test_litestar_answers_with_models_and_documents_them() -> None:
    litestar = pytest.importorskip("litestar")
    from litestar.openapi import OpenAPIConfig
    from litestar.openapi.spec import Schema
    from litestar.plugins import OpenAPISchemaPlugin
    from litestar.typing import FieldDefinition

    class PlatformNames(OpenAPISchemaPlugin):
        @staticmethod
        def is_plugin_supported_type(value: Any) -> bool:
            return isinstance(value, type) and issubclass(value, msgspec.Struct)

        def to_openapi_schema(self, field_definition: Any, schema_creator: Any) -> Schema:
            fields = msgspec.structs.fields(field_definition.annotation)
            return schema_creator.create_component_schema(
                field_definition,
                required=[field.encode_name for field in fields if field.required],
                property_fields={
                    field.encode_name: FieldDefinition.from_annotation(field.type)
                    for field in fields
                },
            )

    @litestar.get("/imodels", sync_to_thread=False)
    def listed() -> list[imodels.IModel]:
        return [WHOLE]

    @litestar.post("/imodels", sync_to_thread=False)
    def made(data: Annotated[imodels.IModel, litestar.params.Body()]) -> imodels.IModel:
        return data

    @litestar.get("/links", sync_to_thread=False)
    def links() -> saved_views.SavedViewLinks:
        return saved_views.SavedViewLinks(imodel=Link("x"))

    app = litestar.Litestar(
        [listed, made, links],
        openapi_config=OpenAPIConfig("iModels", "1"),
        plugins=[PlatformNames()],
    )
    assert asgi(app, "GET", "/imodels") == (200, [to_dict(WHOLE)])
    assert asgi(app, "POST", "/imodels", to_dict(WHOLE)) == (201, to_dict(WHOLE))
    assert asgi(app, "POST", "/imodels", {"id": 1})[0] == 400
    assert asgi(app, "GET", "/links") == (200, {"imodel": {"href": "x"}})
    schemas = app.openapi_schema.to_schema()["components"]["schemas"]
    assert schemas["IModel"]["required"] == ["id"]
    assert {"displayName", "iTwinId", "_links"} <= set(schemas["IModel"]["properties"])
    assert set(schemas["Extent"]["properties"]) == {"southWest", "northEast"}
