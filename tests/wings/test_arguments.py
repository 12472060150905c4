"""What is refused before any request, and in which words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from doubles import refused

from itwin_async import ArgumentError, Session, imodels, itwins, saved_views

GUID = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
CLOSED = Session("secret")  # whatever would send a request fails otherwise

IDS = [
    "",
    " ",
    "\t",
    ".",
    "..",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "a%2Fb",
    "a b",
    "a\nb",
    "a\x00",
    "x" * 257,
    "x" * 10_000,
    "\ud800",
    None,
    5,
    b"bytes",
    ["list"],
]
BY_ID: list[Callable[[Session, Any], Awaitable[object]]] = [
    imodels.add_favorite,
    imodels.remove_favorite,
    imodels.add_recent,
    imodels.remove_recent,
    itwins.add_favorite,
    itwins.remove_favorite,
    itwins.add_recent,
    saved_views.get_tag,
    saved_views.delete_tag,
    lambda session, id_: saved_views.update_tag(session, id_, display_name="x"),
]


@pytest.mark.parametrize("id_", IDS, ids=lambda value: repr(value)[:12])
async def test_ids_that_cannot_be_one(id_: Any) -> None:
    for act in BY_ID:
        with pytest.raises(ArgumentError, match="_id must be an id") as caught:
            await act(CLOSED, id_)
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "value", ["", "abc", GUID + "0", GUID[:-1], f" {GUID}", f"{GUID}\n", "g" + GUID[1:], None, 5]
)
async def test_ids_that_are_no_guid(value: Any) -> None:
    for make in (imodels.list_favorites, imodels.list_recents):
        with refused("itwin_id"):
            make(CLOSED, value)
    if value is not None:
        with refused("itwin_id"):
            saved_views.list_tags(CLOSED, itwin_id=value)
        with refused("imodel_id"):
            await saved_views.create_tag(CLOSED, "x", imodel_id=value)


def test_a_guid_may_be_in_capitals() -> None:
    imodels.list_favorites(CLOSED, GUID.upper())


ITWIN_LISTS: list[Any] = [itwins.list_favorites, itwins.list_recents]
LISTS: list[Any] = [
    *ITWIN_LISTS,
    lambda session, **options: imodels.list_favorites(session, GUID, **options),
    lambda session, **options: imodels.list_recents(session, GUID, **options),
]


@pytest.mark.parametrize("make", LISTS)
@pytest.mark.parametrize(
    "options",
    [
        *[{"page_size": size} for size in (0, -1, 1001, True, "10", 1.5)],
        {"prefetch": -1},
        {"cursor": "x"},
    ],
)
def test_options_of_every_list(make: Any, options: dict[str, Any]) -> None:
    with refused(*options):
        make(CLOSED, **options)


@pytest.mark.parametrize("make", ITWIN_LISTS)
@pytest.mark.parametrize(
    "options",
    [
        {"status": "active"},
        {"status": ""},
        {"sub_class": "Projects"},
        {"sub_class": ""},
        {"sub_class": "Asset,Project"},
        {"sub_class": []},
        {"sub_class": ["Asset", 5]},
        {"sub_class": ["Asset", ["Project"]]},
        {"sub_class": 5},
        {"sub_class": b"Asset"},
        {"type": ""},
        {"type": "  "},
        {"type": 5},
        {"type": "\ud800"},
        {"include_inactive": "yes"},
        {"include_inactive": 1},
        {"concurrency": 0},
    ],
)
def test_filters_of_itwins(make: Any, options: dict[str, Any]) -> None:
    with refused(*options):
        make(CLOSED, **options)


@pytest.mark.parametrize("make", ITWIN_LISTS)
@pytest.mark.parametrize("include_inactive", [True, False])
def test_filters_of_itwins_that_exclude_each_other(make: Any, include_inactive: bool) -> None:
    with pytest.raises(ArgumentError):
        make(CLOSED, status="Active", include_inactive=include_inactive)


@pytest.mark.parametrize(
    "classes",
    [
        "Asset",
        ("Asset", "Project"),
        {"Asset", "Project"},
        ["Asset", "Asset"],
        iter(["Project"]),
        {"Asset": 1}.keys(),
    ],
)
def test_forms_of_sub_classes(classes: Any) -> None:
    itwins.list_favorites(CLOSED, sub_class=classes)


@pytest.mark.parametrize("character", "<>&\"'.")
async def test_characters_that_a_tag_may_not_have(character: str) -> None:
    for act in (
        saved_views.create_tag(CLOSED, f"a{character}b"),
        saved_views.update_tag(CLOSED, "id", display_name=character),
    ):
        with refused("display_name"):
            await act


@pytest.mark.parametrize("name", ["", " ", "\n", None, 5, b"x", ["x"], "\ud800"])
async def test_names_that_a_tag_may_not_have(name: Any) -> None:
    for act in (
        saved_views.create_tag(CLOSED, name),
        saved_views.update_tag(CLOSED, "id", display_name=name),
    ):
        with refused("display_name"):
            await act
