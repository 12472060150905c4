"""Models are at home in pydantic, with the platform's names."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import attrs
import pytest

from itwin_async import Link, from_dict, imodels, itwins, saved_views, to_dict

pydantic = pytest.importorskip("pydantic")

WHEN = datetime(2024, 3, 18, 12, tzinfo=UTC)
WHOLE = imodels.IModel(
    "a",
    display_name="Pier",
    created_date_time=WHEN,
    is_secured=False,
    extent=imodels.Extent(imodels.Point(1.0, 2.0), imodels.Point(3.0, 4.0)),
    links=imodels.IModelLinks(creator=Link("https://x/users/1")),
)
VIEW = saved_views.SavedView(
    "v",
    tags=[saved_views.Tag("t", "Night")],
    extensions=[saved_views.Extension("Emphasize", data='{"a":1}')],
    links=saved_views.SavedViewLinks(imodel=Link("https://x/imodels/1")),
    saved_view_data=saved_views.SavedViewData(itwin3d_view={"origin": [0, 1]}),
)


def of(module: ModuleType) -> list[Any]:
    found = [getattr(module, name) for name in module.__all__]
    return [one for one in found if isinstance(one, type) and attrs.has(one)]


KNOWN = [
    one
    for one in [Link, *of(imodels), *of(itwins), *of(saved_views)]
    if hasattr(one, "__get_pydantic_core_schema__")
]


def refs(value: object) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(refs, value.values()))
    return set().union(*map(refs, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("model", [WHOLE, VIEW], ids=["imodel", "view"])
def test_it_is_written_and_read_as_the_platform_does(model: Any) -> None:
    adapter = pydantic.TypeAdapter(type(model))
    text = adapter.dump_json(model)
    assert adapter.dump_python(model, mode="json") == to_dict(model)
    assert adapter.validate_json(text) == model
    assert adapter.validate_python(to_dict(model)) == model
    assert adapter.validate_python(model) is model
    assert type(adapter.validate_json(text)) is type(model)


@pytest.mark.parametrize("cls", KNOWN)
def test_every_model_is_described_alike_in_both_directions(cls: Any) -> None:
    adapter = pydantic.TypeAdapter(cls)
    schema = adapter.json_schema()
    assert schema == adapter.json_schema(mode="serialization")
    assert schema["title"] == cls.__name__
    assert schema["description"]
    assert refs(schema) <= {f"#/$defs/{name}" for name in schema.get("$defs", {})}
    assert not [name for name in schema["properties"] if "_" in name[1:]]


def test_the_documents_of_members_are_those_of_the_class() -> None:
    schema = pydantic.TypeAdapter(imodels.IModel).json_schema()
    assert schema["required"] == ["id"]
    members = schema["properties"]
    assert set(members) >= {"displayName", "iTwinId", "isSecured", "createdDateTime", "_links"}
    assert members["iTwinId"]["description"] == "GUID of the iTwin that it belongs to."
    assert members["createdDateTime"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert members["displayName"]["description"] == "name to show."  # the summary's


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({}, ("id",)),
        ({"id": 5}, ("id",)),
        (
            {"id": "a", "extent": {"southWest": {"latitude": "x"}}},
            ("extent", "southWest", "latitude"),
        ),
        ({"id": "a", "createdDateTime": "soon"}, ("createdDateTime",)),
        ("a", ()),
        (None, ()),
    ],
)
def test_what_is_wrong_is_told_by_its_place(value: object, place: tuple[str, ...]) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        pydantic.TypeAdapter(imodels.IModel).validate_python(value)
    assert place in [fault["loc"] for fault in caught.value.errors()]


def test_it_reads_what_the_converter_reads() -> None:
    adapter = pydantic.TypeAdapter(imodels.IModel)
    assert adapter.validate_python({"id": "a", "new": 1, "name": None}) == imodels.IModel("a")
    naive = adapter.validate_json('{"id":"a","createdDateTime":"2024-03-18T12:00:00"}')
    assert naive.created_date_time == WHEN
    links = pydantic.TypeAdapter(saved_views.SavedViewLinks)
    for name in ("imodel", "iModel", "IMODEL"):
        assert links.validate_python({name: {"href": "x"}}).imodel == Link("x")


def test_a_narrower_class_writes_its_own_members() -> None:
    adapter = pydantic.TypeAdapter(list[imodels.IModelSummary])
    assert adapter.dump_python([WHOLE]) == [{"id": "a", "displayName": "Pier"}]


def test_a_pydantic_model_may_hold_one() -> None:
    class Row(pydantic.BaseModel):
        imodel: imodels.IModel
        others: dict[str, itwins.ITwin]

    row = Row.model_validate({"imodel": to_dict(WHOLE), "others": {"b": {"id": "b"}}})
    assert row.imodel == WHOLE
    assert row.others == {"b": itwins.ITwin("b")}
    assert row.model_dump(mode="json")["imodel"] == to_dict(WHOLE)
    assert set(Row.model_json_schema()["$defs"]) >= {"IModel", "ITwin", "Extent", "Point"}


def test_a_class_derived_from_one_is_known_too() -> None:
    @attrs.frozen
    class Scored(imodels.IModelSummary):
        own_score: int = 0

    adapter = pydantic.TypeAdapter(Scored)
    found = adapter.validate_python({"id": "a", "ownScore": 3})
    assert found == Scored("a", own_score=3)
    assert adapter.dump_python(found) == {"id": "a", "ownScore": 3}


def test_the_package_does_not_load_pydantic() -> None:
    program = """
import sys, itwin_async
from itwin_async import *
itwin_async.imodels.IModel("a")
print([name for name in sys.modules if name.startswith("pydantic")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_msgspec_writes_what_to_dict_writes() -> None:
    msgspec = pytest.importorskip("msgspec")
    assert msgspec.json.decode(msgspec.json.encode(WHOLE)) == to_dict(WHOLE)
    assert from_dict(imodels.IModel, msgspec.json.decode(msgspec.json.encode(WHOLE))) == WHOLE
