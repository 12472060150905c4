"""A caller's hook wins over everything, whenever it is registered."""

from __future__ import annotations

import copy
import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from codecs_compared import envelope

from itwin_async import Converter, DecodeError, Link, Session, from_dict, imodels, itwins, to_dict
from itwin_async import converter as shared_converter
from itwin_async._json.codec import Codec
from itwin_async.session import internals_of

ITEM = {
    "id": "a",
    "displayName": "n",
    "extent": {
        "southWest": {"latitude": 1, "longitude": 2},
        "northEast": {"latitude": 3, "longitude": 4},
    },
    "_links": {"creator": {"href": "h"}},
}
BODY, ONE = envelope(ITEM), json.dumps({"item": ITEM}).encode()

Register = Callable[[Converter], None]


def by_class(converter: Converter) -> None:
    converter.register_structure_hook(imodels.IModel, lambda value, _: imodels.IModel("hook"))


def by_parent(converter: Converter) -> None:
    converter.register_structure_hook(
        imodels.IModelSummary, lambda value, _: imodels.IModel("hook")
    )


def by_nested_class(converter: Converter) -> None:
    converter.register_structure_hook(Link, lambda value, _: Link("hook"))


def by_leaf(converter: Converter) -> None:
    converter.register_structure_hook(str, lambda value, _: f"hook {value}")


def by_predicate(converter: Converter) -> None:
    converter.register_structure_hook_func(
        lambda part: part is imodels.Point, lambda value, _: imodels.Point(0, 0)
    )


def by_predicate_that_raises(converter: Converter) -> None:
    converter.register_structure_hook_func(
        lambda part: issubclass(part, imodels.Point), lambda value, _: imodels.Point(0, 0)
    )


def by_factory(converter: Converter) -> None:
    converter.register_structure_hook_factory(
        lambda part: part is imodels.Extent, lambda part: lambda value, _: None
    )


def by_decorated_factory(converter: Converter) -> None:
    @converter.register_structure_hook_factory(lambda part: part is imodels.Extent)
    def make(part: Any) -> Any:
        return lambda value, _: None


def by_decorated_function(converter: Converter) -> None:
    @converter.register_structure_hook
    def make(value: Any, _: object) -> imodels.Extent:
        return imodels.Extent(imodels.Point(0, 0), imodels.Point(0, 0))


def by_optional(converter: Converter) -> None:
    converter.register_structure_hook(imodels.Extent | None, lambda value, _: None)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "register",
    [
        by_class,
        by_parent,
        by_nested_class,
        by_leaf,
        by_predicate,
        by_predicate_that_raises,
        by_factory,
        by_decorated_factory,
        by_decorated_function,
        by_optional,
    ],
)
def test_hooks_win(register: Register, *, late: bool) -> None:
    codec = Codec(Converter())
    (plain,) = Codec(Converter()).page(BODY, imodels.IModel, "items")[0]
    if late:
        assert codec.page(BODY, imodels.IModel, "items")[0] == [plain]
    register(codec.converter)
    (hooked,) = codec.page(BODY, imodels.IModel, "items")[0]
    assert hooked != plain
    assert codec.member(ONE, imodels.IModel, "item") == hooked
    assert Codec(Converter()).page(BODY, imodels.IModel, "items")[0] == [plain]


@pytest.mark.parametrize("copied", [Converter.copy, copy.copy, copy.deepcopy])
def test_a_copy_has_the_hooks_and_gets_its_own(copied: Callable[[Converter], Converter]) -> None:
    first = Converter()
    by_leaf(first)
    second = copied(first)
    assert type(second) is Converter
    (of_first,) = Codec(first).page(BODY, imodels.IModel, "items")[0]
    assert Codec(second).page(BODY, imodels.IModel, "items")[0] == [of_first]
    by_nested_class(second)
    (of_second,) = Codec(second).page(BODY, imodels.IModel, "items")[0]
    assert of_second.links
    assert of_second.links.creator == Link("hook")
    assert of_second.display_name == "hook n"
    assert Codec(first).page(BODY, imodels.IModel, "items")[0] == [of_first]
    assert second.unstructure(of_second)["displayName"] == "hook n"


def test_a_copy_of_the_plain_converter_takes_the_fast_path() -> None:
    twin = shared_converter.copy()
    Codec(twin).page(BODY, imodels.IModel, "items")
    (fast,) = twin.decoders.kept.values()
    assert fast is not None
    with pytest.raises(DecodeError, match=r"expected a string, got a number at \$\.items\[0\]\.id"):
        Codec(twin).page(envelope({"id": 1, "displayName": "n"}), imodels.IModel, "items")


def test_a_hook_for_something_else_keeps_the_fast_path() -> None:
    converter = Converter()
    converter.register_structure_hook(itwins.ITwin, lambda value, _: itwins.ITwin("hook"))
    Codec(converter).page(BODY, imodels.IModel, "items")
    (fast,) = converter.decoders.kept.values()
    assert fast is not None


def test_a_hook_that_raises_is_a_decode_error() -> None:
    converter = Converter()

    def refuse(value: Any, _: object) -> imodels.Point:
        raise LookupError("not on my map")

    converter.register_structure_hook(imodels.Point, refuse)
    with pytest.raises(DecodeError, match="not on my map at") as caught:
        Codec(converter).page(BODY, imodels.IModel, "items")
    assert caught.value.json_path == "$.items[0].extent.southWest"


def test_a_hook_for_a_callers_class_in_a_model() -> None:
    class Grade:
        def __init__(self, value: int) -> None:
            self.value = value

    @attrs.frozen
    class Report:
        id: str
        best_grade: Grade | None = None

    attrs.resolve_types(Report, globals(), locals())
    converter = Converter()
    converter.register_structure_hook(Grade, lambda value, _: Grade(value))
    (report,) = Codec(converter).page(envelope({"id": "a", "bestGrade": 3}), Report, "items")[0]
    assert report.best_grade is not None
    assert report.best_grade.value == 3


def test_a_session_uses_the_converter_it_is_given() -> None:
    mine = Converter()
    assert internals_of(Session("x", converter=mine)).codec.converter is mine
    assert internals_of(Session("x")).codec.converter is shared_converter


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.isenabled()
    yield
    (gc.enable if before else gc.disable)()


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("body", [BODY, b"{", b'{"items":[{"id":5}]}'])
def test_the_collector_is_left_as_it_was(body: bytes, *, enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    for cls in (imodels.IModel, dict):
        try:
            Codec(Converter()).page(body, cls, "items")
        except DecodeError:
            assert body != BODY
        assert gc.isenabled() is enabled


@pytest.mark.usefixtures("collector")
def test_the_collector_rests_while_a_page_is_decoded() -> None:
    seen: list[bool] = []
    converter = Converter()
    converter.register_structure_hook(Link, lambda value, _: seen.append(gc.isenabled()))
    gc.enable()
    Codec(converter).page(BODY, imodels.IModel, "items")
    assert seen == [False]
    assert gc.isenabled()


def test_spent_items_are_emptied_only_if_the_decoding_succeeds() -> None:
    codec = Codec(Converter())
    spent = [imodels.IModel("old")]
    with pytest.raises(DecodeError):
        codec.page(b"{", imodels.IModel, "items", spent)
    assert spent
    codec.page(BODY, imodels.IModel, "items", spent)
    assert spent == []


def test_hooks_on_the_shared_converter_reach_to_dict() -> None:
    extent = imodels.Extent(imodels.Point(1, 2), imodels.Point(3, 4))
    assert from_dict(imodels.Extent, to_dict(extent)) == extent
