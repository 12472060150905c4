"""What is refused before any request, and in which words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

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
        with pytest.raises(ArgumentError, match="itwin_id must be a GUID"):
            make(CLOSED, value)
    if value is not None:
        with pytest.raises(ArgumentError, match="itwin_id must be a GUID"):
            saved_views.list_tags(CLOSED, itwin_id=value)
        with pytest.raises(ArgumentError, match="imodel_id must be a GUID"):
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
    ("options", "words"),
    [
        *[({"page_size": size}, "page_size must be") for size in (0, -1, 1001, True, "10", 1.5)],
        ({"prefetch": -1}, "prefetch must be"),
        ({"cursor": "x"}, "cursor must be"),
    ],
)
def test_options_of_every_list(make: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make(CLOSED, **options)


@pytest.mark.parametrize("make", ITWIN_LISTS)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"status": "Active", "include_inactive": True}, "mutually exclusive"),
        ({"status": "Active", "include_inactive": False}, "mutually exclusive"),
        ({"status": "active"}, "status must be one of 'Active'"),
        ({"status": ""}, "status must be"),
        ({"sub_class": "Projects"}, "sub_class must be one of 'Account'"),
        ({"sub_class": ""}, "sub_class must be"),
        ({"sub_class": "Asset,Project"}, "sub_class must be"),
        ({"sub_class": []}, "sub_class must be one string or several"),
        ({"sub_class": ["Asset", 5]}, "sub_class must be"),
        ({"sub_class": ["Asset", ["Project"]]}, "sub_class must be"),
        ({"sub_class": 5}, "sub_class must be one string or several"),
        ({"sub_class": b"Asset"}, "sub_class must be"),
        ({"type": ""}, "type must be"),
        ({"type": "  "}, "type must be"),
        ({"type": 5}, "type must be"),
        ({"type": "\ud800"}, "type must be"),
        ({"include_inactive": "yes"}, "include_inactive must be True or False"),
        ({"include_inactive": 1}, "include_inactive must be True or False"),
        ({"concurrency": 0}, "concurrency must be"),
    ],
)
def test_filters_of_itwins(make: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make(CLOSED, **options)


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
        with pytest.raises(ArgumentError, match="display_name must not") as caught:
            await act
        assert caught.value.argument == "display_name"


@pytest.mark.parametrize("name", ["", " ", "\n", None, 5, b"x", ["x"], "\ud800"])
async def test_names_that_a_tag_may_not_have(name: Any) -> None:
    for act in (
        saved_views.create_tag(CLOSED, name),
        saved_views.update_tag(CLOSED, "id", display_name=name),
    ):
        with pytest.raises(ArgumentError, match="display_name must be"):
            await act
