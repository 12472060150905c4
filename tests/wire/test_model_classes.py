"""A model is an attrs class in everything that its users do, though msgspec makes its instances."""

from __future__ import annotations

import abc
import copy
import functools
import inspect
import json
import pickle
import typing
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Generic, TypeVar

import attrs
import cattrs
import pytest
from codecs_compared import FAST, envelope
from rich.pretty import pretty_repr

from itwin_async import Link, from_dict, imodels, itwins, saved_views, to_dict
from itwin_async._json.model import is_model

T = TypeVar("T")


def of(module: ModuleType) -> list[Any]:
    public = [getattr(module, name) for name in module.__all__]
    return [found for found in public if isinstance(found, type) and is_model(found)]


MODELS = [Link, *of(imodels), *of(itwins), *of(saved_views)]
HELD = {str: "a", float: 1.0, int: 1, bool: True, datetime: datetime(2024, 3, 18, tzinfo=UTC)}


def value_of(hint: Any) -> Any:
    if hint in HELD:
        return HELD[hint]
    if typing.get_origin(hint) in {list, Mapping}:
        return None  # they have no hash
    if typing.get_args(hint):
        return value_of(typing.get_args(hint)[0])
    return filled(hint) if is_model(hint) else None


def filled(cls: Any) -> Any:
    hints = typing.get_type_hints(cls)
    return cls(**{field.name: value_of(hints[field.name]) for field in attrs.fields(cls)})


def test_nearly_every_model_is_made_by_msgspec() -> None:
    assert len(MODELS) > 50
    everything = [*vars(imodels).values(), *vars(itwins).values(), *vars(saved_views).values()]
    public = {found for found in everything if isinstance(found, type) and attrs.has(found)}
    assert public - set(MODELS) == {saved_views.Extension, saved_views.SavedViewData}


@pytest.mark.parametrize("cls", MODELS)
def test_attrs_describes_it(cls: Any) -> None:
    assert attrs.has(cls)
    assert attrs.resolve_types(cls) is cls
    names = [field.name for field in attrs.fields(cls)]
    assert names == list(inspect.signature(cls).parameters) == list(cls.__match_args__)
    assert set(names) <= typing.get_type_hints(cls).keys()
    model = filled(cls)
    assert attrs.asdict(model, recurse=False) == {name: getattr(model, name) for name in names}
    assert cls(*attrs.astuple(model, recurse=False)) == model
    changed = attrs.evolve(model, **{names[0]: None})
    assert type(changed) is cls
    assert changed != model
    assert from_dict(cls, to_dict(model)) == model
    assert cattrs.unstructure(model) == attrs.asdict(model)


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize("decoded", [False, True])
def test_it_is_a_frozen_value(cls: Any, *, decoded: bool) -> None:
    model = twin = filled(cls)
    if decoded:
        (twin,) = FAST.page(envelope(to_dict(model)), cls, "items")[0]
    name = attrs.fields(cls)[0].name
    for act in (
        lambda: setattr(twin, name, "b"),
        lambda: setattr(twin, "another", "b"),
        lambda: delattr(twin, name),
    ):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            act()
    assert not hasattr(twin, "__dict__")
    assert model == twin
    assert hash(model) == hash(twin)
    assert repr(model) == repr(twin)
    assert type(twin) is cls
    copies = [copy.copy(twin), copy.deepcopy(twin)]
    copies += [pickle.loads(pickle.dumps(twin, protocol)) for protocol in (2, 4, 5)]
    assert copies == [model] * len(copies)
    assert weakref.ref(twin)() is twin


@pytest.mark.parametrize("cls", MODELS)
def test_no_secret_is_shown(cls: Any) -> None:
    hidden = [field.name for field in attrs.fields(cls) if not field.repr]
    model = attrs.evolve(filled(cls), **dict.fromkeys(hidden, "secret"))
    assert "secret" not in repr(model) + pretty_repr(model)


@pytest.mark.parametrize("cls", MODELS)
def test_a_class_derived_from_it_is_plain_attrs(cls: Any) -> None:
    class Child(cls):
        @functools.cached_property
        def shown(self) -> str:
            return super().__repr__()

    @attrs.frozen
    class Wider(cls):
        more_of_it: int | None = attrs.field(
            default=3, validator=attrs.validators.optional(attrs.validators.gt(1))
        )

    model = filled(cls)
    values = attrs.asdict(model, recurse=False)
    child, wider = Child(**values), Wider(**values)
    assert child.shown == repr(child)
    for found in (child, wider):
        assert isinstance(found, cls)
        assert issubclass(type(found), cls)
        assert not is_model(type(found))
        assert found != model
        assert copy.copy(found) == found
    assert not isinstance(model, Child)
    assert [field.name for field in attrs.fields(Wider)] == [*values, "more_of_it"]
    assert attrs.evolve(wider, more_of_it=5).more_of_it == 5
    with pytest.raises(ValueError, match="more_of_it"):
        attrs.evolve(wider, more_of_it=0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        wider.more_of_it = 7


def test_models_of_models() -> None:
    imodel = imodels.IModel("a", "n")
    assert isinstance(imodel, imodels.IModelSummary)
    assert issubclass(imodels.IModel, imodels.IModelSummary)
    assert not isinstance(imodels.IModelSummary("a"), imodels.IModel)
    assert imodels.IModelSummary("a", "n") != imodel
    match imodel:
        case imodels.IModelSummary("a", display_name=name):
            assert name == "n"
        case _:
            raise AssertionError


def test_a_derived_class_may_be_abstract_or_generic_and_is_dispatched_on() -> None:
    class Named(abc.ABC):
        @abc.abstractmethod
        def name(self) -> str: ...

    class Both(imodels.IModelSummary, Named):
        def name(self) -> str:
            return self.id

    class Box(imodels.IModelSummary, Generic[T]):
        pass

    @functools.singledispatch
    def kind(_: object) -> str:
        return "other"

    kind.register(imodels.IModelSummary, lambda _: "summary")
    assert Both("a").name() == "a"
    assert Box[int]("a").id == "a"
    for found in (Both("a"), Box("a"), imodels.IModel("a"), imodels.IModelSummary("a")):
        assert kind(found) == "summary"
    assert kind(itwins.ITwin("a")) == "other"


def test_wrong_arguments_are_type_errors() -> None:
    for wrong in ({}, {"id": "a", "other": 1}):
        with pytest.raises(TypeError):
            imodels.IModel(**wrong)


def test_a_model_within_a_callers_class() -> None:
    @attrs.frozen
    class Holder:
        id: str
        whole_extent: imodels.Extent | None = None

    attrs.resolve_types(Holder, globals(), locals())
    extent = imodels.Extent(imodels.Point(1, 2), imodels.Point(3, 4))
    body = json.dumps({"items": [{"id": "a", "wholeExtent": to_dict(extent)}]}).encode()
    assert FAST.page(body, Holder, "items")[0] == [Holder("a", extent)]
