"""What the models hold, and how they behave as values."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from codecs_compared import FAST, assert_same, envelope
from hypothesis import given, settings
from hypothesis import strategies as st

from itwin_async import DecodeError, Link, from_dict, imodels, itwins, saved_views, to_dict
from itwin_async._json.naming import wire_name
from itwin_async._paging.links import read_links

SAMPLES = json.loads((Path(__file__).parent / "samples.json").read_text("utf-8"))
LISTS = [
    ("imodels_minimal", imodels.IModelSummary, "iModels"),
    ("imodels_full", imodels.IModel, "iModels"),
    ("imodels_recents", imodels.IModelSummary, "iModels"),
    ("itwins_minimal", itwins.ITwinSummary, "iTwins"),
    ("itwins_full", itwins.ITwin, "iTwins"),
    ("tags", saved_views.Tag, "tags"),
]


def page(name: str, cls: Any, key: str) -> list[Any]:
    body = json.dumps(SAMPLES[name]).encode()
    assert_same(body, cls, key)
    items, found = FAST.page(body, cls, key)
    links = read_links(found)
    wanted = SAMPLES[name]["_links"]
    for link in ("self", "prev", "next"):
        assert getattr(links, link) == (wanted.get(link) or {}).get("href")
    return items


@pytest.mark.parametrize(("name", "cls", "key"), LISTS)
def test_the_documented_samples(name: str, cls: Any, key: str) -> None:
    items = page(name, cls, key)
    assert [item.id for item in items] == [entry["id"] for entry in SAMPLES[name][key]]
    for item, entry in zip(items, SAMPLES[name][key], strict=True):
        written = to_dict(item)
        given = {member: value for member, value in entry.items() if value is not None}
        assert written.keys() == given.keys()
        assert {member: written[member] for member in given if member[0] not in "_c"} == {
            member: value for member, value in given.items() if member[0] not in "_c"
        }
        assert from_dict(cls, entry) == item


def test_a_whole_imodel() -> None:
    (imodel, bare) = page("imodels_full", imodels.IModel, "iModels")
    assert imodel == imodels.IModel(
        id="0f6a2f0b-6d1a-4f7e-9a53-2c1b6f1f7a10",
        display_name="Harbour Bridge",
        data_center_location="North Europe",
        name="Harbour Bridge",
        description=None,
        state="initialized",
        created_date_time=datetime(2024, 3, 18, 6, 33, 58, 383000, UTC),
        itwin_id="7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11",
        is_secured=False,
        extent=imodels.Extent(imodels.Point(46.1, 7.4), imodels.Point(46.3, 7.8)),
        containers_enabled=0,
        links=imodels.IModelLinks(
            creator=Link("https://api.bentley.com/imodels/x/users/y"),
            changesets=Link("https://api.bentley.com/imodels/x/changesets"),
            named_versions=None,
        ),
    )
    assert bare.extent is None
    assert bare.links is None


def test_a_whole_itwin() -> None:
    (itwin,) = page("itwins_full", itwins.ITwin, "iTwins")
    assert (itwin.class_, itwin.sub_class, itwin.type) == ("Endeavor", "Project", None)
    assert itwin.created_date_time == datetime(2024, 3, 25, 10, 26, 45, 797000, UTC)
    assert itwin.itwin_account_id == "d1f0c7b2-0000-4a1b-9e2f-6a7b8c9d0e03"
    assert itwin.latitude is None


@pytest.mark.parametrize("spelling", ["imodel", "iModel", "IMODEL"])
def test_tag_links_are_read_in_any_case(spelling: str) -> None:
    links = {spelling: {"href": "m"}, "iTwin": {"href": "t"}, "project": None, "new": 1}
    (tag,) = FAST.page(envelope({"id": "a", "_links": links}), saved_views.Tag, "items")[0]
    assert tag.links == saved_views.TagLinks(itwin=Link("t"), imodel=Link("m"))
    assert to_dict(tag)["_links"] == {
        "iTwin": {"href": "t"},
        "imodel": {"href": "m"},
    }


def read(cls: type, **members: object) -> Any:
    (item,) = FAST.page(envelope({"id": "a", **members}), cls, "items")[0]
    return item


def test_null_stays_none() -> None:
    for cls in (imodels.IModel, itwins.ITwin, saved_views.Tag):
        nulls = {wire_name(field.name): None for field in attrs.fields(cls) if field.name != "id"}
        assert read(cls, **nulls) == cls("a")


def test_full_where_minimal_was_asked_and_the_reverse() -> None:
    full = SAMPLES["imodels_full"]["iModels"][0]
    summary = read(imodels.IModelSummary, **full)
    assert type(summary) is imodels.IModelSummary
    assert summary.display_name == "Harbour Bridge"
    minimal = read(imodels.IModel, displayName="n")
    assert type(minimal) is imodels.IModel
    assert minimal.extent is None
    assert read(itwins.ITwin, displayName="n").latitude is None


def test_unknown_members_and_values_are_no_error() -> None:
    imodel = read(imodels.IModel, state="melting", other={"deep": [1, {"x": None}]})
    assert imodel.state == "melting"
    itwin = read(itwins.ITwin, status="Paused", subClass="Galaxy", **{"class": "Idea"})
    assert (itwin.status, itwin.sub_class, itwin.class_) == ("Paused", "Galaxy", "Idea")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-10-20T10:51:33.1700000Z", datetime(2020, 10, 20, 10, 51, 33, 170000, UTC)),
        ("2024-03-25T10:26:45.797Z", datetime(2024, 3, 25, 10, 26, 45, 797000, UTC)),
        ("2024-03-25T10:26:45Z", datetime(2024, 3, 25, 10, 26, 45, 0, UTC)),
        ("2024-03-25T10:26:45", datetime(2024, 3, 25, 10, 26, 45, 0, UTC)),
        ("2024-03-25T10:26:45.5", datetime(2024, 3, 25, 10, 26, 45, 500000, UTC)),
        (
            "2024-03-25T10:26:45+02:00",
            datetime(2024, 3, 25, 10, 26, 45, 0, timezone(timedelta(hours=2))),
        ),
    ],
)
def test_times_always_have_a_zone(text: str, moment: datetime) -> None:
    created = read(imodels.IModel, createdDateTime=text).created_date_time
    assert created == moment
    assert created.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    ("cls", "members", "path", "words"),
    [
        (imodels.IModel, {"id": 5}, "$.items[0].id", "expected a string, got a number"),
        (imodels.IModel, {"id": None}, "$.items[0].id", "expected a string, got null"),
        (imodels.IModel, {"displayName": []}, "$.items[0].displayName", "a string, got a list"),
        (imodels.IModel, {"iTwinId": True}, "$.items[0].iTwinId", "a string, got a boolean"),
        (imodels.IModel, {"isSecured": "no"}, "$.items[0].isSecured", "a boolean, got a string"),
        (imodels.IModel, {"isSecured": 0}, "$.items[0].isSecured", "a boolean, got a number"),
        (imodels.IModel, {"containersEnabled": 1.5}, "$.items[0].containersEnabled", "whole"),
        (imodels.IModel, {"containersEnabled": True}, "$.items[0].containersEnabled", "whole"),
        (imodels.IModel, {"createdDateTime": "today"}, "$.items[0].createdDateTime", "'today'"),
        (imodels.IModel, {"createdDateTime": 5}, "$.items[0].createdDateTime", "date-time, got"),
        (imodels.IModel, {"extent": 5}, "$.items[0].extent", "an object, got a number"),
        (imodels.IModel, {"extent": {}}, "$.items[0].extent.southWest", "required member"),
        (
            imodels.IModel,
            {"extent": {"southWest": {"latitude": "1", "longitude": 1}}},
            "$.items[0].extent.southWest.latitude",
            "expected a number, got a string",
        ),
        (
            imodels.IModel,
            {"_links": {"namedVersions": {"href": 5}}},
            "$.items[0]._links.namedVersions.href",
            "expected a string",
        ),
        (itwins.ITwin, {"class": 5}, "$.items[0].class", "expected a string"),
        (itwins.ITwin, {"iTwinAccountId": 5}, "$.items[0].iTwinAccountId", "expected a string"),
        (saved_views.Tag, {"_links": []}, "$.items[0]._links", "an object, got a list"),
        (
            saved_views.Tag,
            {"_links": {"imodel": "https://x"}},
            "$.items[0]._links.imodel",
            "an object, got a string",
        ),
    ],
)
def test_wrong_types_are_named_by_their_place(
    cls: type, members: dict[str, object], path: str, words: str
) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        read(cls, **members)
    assert caught.value.json_path == path
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        (b'{"items":null}', "$.items", "expected a list, got null"),
        (b'{"items":{}}', "$.items", "expected a list, got an object"),
        (b'{"items":[{"id":"a"},null]}', "$.items[1]", "expected an object, got null"),
        (b'{"items":[{}]}', "$.items[0].id", "required member is missing"),
        (b'{"other":[]}', "$", "'items' is missing; found other"),
        (b"{}", "$", "found nothing"),
        (b"[]", "$", "expected an object, got a list"),
        (b"", "$", "no body"),
        (b"<html>busy</html>", "$", "not JSON"),
    ],
)
def test_envelopes_that_are_none(body: bytes, path: str, words: str) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        FAST.page(body, imodels.IModel, "items")
    assert caught.value.json_path == path
    assert path == "$" or path in str(caught.value)


def test_from_dict_names_the_place_too() -> None:
    with pytest.raises(DecodeError) as caught:
        from_dict(imodels.IModel, {"id": "a", "extent": {"southWest": 5}})
    assert caught.value.json_path == "$.extent.southWest"


TEXT = st.none() | st.text(max_size=8)
NUMBER = st.floats(-180, 180)
POINT = st.builds(imodels.Point, NUMBER, NUMBER)
LINK = st.none() | st.builds(Link, TEXT)
ZONE = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENT = st.none() | st.datetimes(timezones=st.just(UTC) | ZONE)
IMODEL = st.builds(
    imodels.IModel,
    st.text(),
    *[TEXT] * 5,
    MOMENT,
    MOMENT,
    TEXT,
    st.none() | st.booleans(),
    st.none() | st.builds(imodels.Extent, POINT, POINT),
    st.none() | st.integers(0, 7),
    st.none() | st.builds(imodels.IModelLinks, LINK, LINK, LINK),
)
ITWIN = st.builds(
    itwins.ITwin,
    st.text(),
    *[TEXT] * 8,
    *[st.none() | NUMBER] * 2,
    *[TEXT] * 5,
    MOMENT,
    TEXT,
    MOMENT,
    TEXT,
)
TAG = st.builds(
    saved_views.Tag,
    st.text(),
    TEXT,
    st.none() | st.builds(saved_views.TagLinks, LINK, LINK, LINK, LINK),
)


@settings(max_examples=150, deadline=None)
@given(model=IMODEL | ITWIN | TAG)
def test_models_survive_the_way_there_and_back(model: Any) -> None:
    written = to_dict(model)
    assert from_dict(type(model), written) == model
    text = json.dumps({"items": [written]}).encode()
    (again,) = FAST.page(text, type(model), "items")[0]
    assert again == model
    assert hash(again) == hash(model)


ALL = [
    Link,
    imodels.Point,
    imodels.Extent,
    imodels.IModelLinks,
    imodels.IModelSummary,
    imodels.IModel,
    itwins.ITwinSummary,
    itwins.ITwin,
    saved_views.Tag,
    saved_views.TagLinks,
]


@pytest.mark.parametrize("cls", ALL)
def test_models_are_slotted_frozen_values(cls: Any) -> None:
    assert attrs.has(cls)
    required = [field for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    make = {field.name: 1.0 if field.type == "float" else "a" for field in required}
    if cls is imodels.Extent:
        make = {field.name: imodels.Point(1, 2) for field in required}
    model, twin = cls(**make), cls(**make)
    assert not hasattr(model, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(model, attrs.fields(cls)[0].name, "b")
    assert model == twin
    assert hash(model) == hash(twin)
    assert copy.copy(model) == copy.deepcopy(model) == pickle.loads(pickle.dumps(model)) == model
    assert len({model, twin}) == 1


def test_decoded_models_are_frozen_as_well() -> None:
    imodel = read(imodels.IModel, displayName="n")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        imodel.display_name = "m"
    assert attrs.evolve(imodel, display_name="m").display_name == "m"
    assert pickle.loads(pickle.dumps(imodel)) == imodel


def test_an_extent_is_a_geometry() -> None:
    point, other = imodels.Point(46.1, 7.4), imodels.Point(46.3, 7.8)
    assert point.__geo_interface__ == {"type": "Point", "coordinates": (7.4, 46.1)}
    box = imodels.Extent(point, other).__geo_interface__
    assert box["type"] == "Polygon"
    (ring,) = box["coordinates"]  # type: ignore[misc]
    assert ring == ((7.4, 46.1), (7.8, 46.1), (7.8, 46.3), (7.4, 46.3), (7.4, 46.1))


def test_an_extent_over_the_antimeridian_becomes_two() -> None:
    fiji = imodels.Extent(imodels.Point(-20, 177), imodels.Point(-16, -178))
    shape: Any = fiji.__geo_interface__
    assert shape["type"] == "MultiPolygon"
    edges = [{x for x, _ in ring} for (ring,) in shape["coordinates"]]
    assert edges == [{177, 180.0}, {-180.0, -178}]
    assert json.loads(json.dumps(shape))["type"] == "MultiPolygon"


def test_names_of_attributes_are_no_names_of_members() -> None:
    with pytest.raises(DecodeError):
        from_dict(imodels.IModel, {"id": "a", "display_name": "A"})
    assert from_dict(imodels.IModel, {"id": "a", "newerMember": 5}) == imodels.IModel("a")
    assert to_dict(imodels.IModel("a")) == {"id": "a"}
