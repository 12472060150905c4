"""The fast path and the converter give equal objects, and refuse the same in the same words."""

from __future__ import annotations

import copy
import functools
import json
import pickle
import string
from datetime import datetime
from typing import Any, get_args, get_origin, get_type_hints

import attrs
import pytest
import shapes
from codecs_compared import FAST, SLOW, assert_same, envelope, verdict
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from itwin_async import Converter, imodels, itwins, saved_views
from itwin_async._json.codec import Codec
from itwin_async._json.naming import wire_name

MODELS = [
    imodels.IModelSummary,
    imodels.IModel,
    imodels.Extent,
    itwins.ITwinSummary,
    itwins.ITwin,
    itwins.Export,
    itwins.ITwinImage,
    saved_views.Tag,
    saved_views.Group,
    shapes.Machine,
    shapes.Wider,
    shapes.Loose,
]


def takes_fast_path(cls: type, body: bytes) -> bool:
    codec = Codec(Converter())
    codec.page(body, cls, "items")
    (fast,) = codec.converter.decoders.kept.values()
    return fast is not None


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["", "2024-03-18T06:33:58.3830000Z", "2024-03-18T06:33:58", "2024-03-18", "Z"]),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters, max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
GOOD: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=6),
    int: st.integers(-(2**63), 2**63),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000),
    bool: st.booleans(),
    datetime: st.sampled_from(
        ["2024-03-18T06:33:58.3830000Z", "2024-03-25T10:26:45.797Z", "2024-03-25T10:26:45+02:00"]
    ),
}


def value_for(hint: Any) -> st.SearchStrategy[Any]:
    if hint in GOOD:
        return GOOD[hint]
    if get_origin(hint) is list:
        return st.lists(value_for(get_args(hint)[0]), max_size=2)
    if get_args(hint):
        return value_for(get_args(hint)[0])  # or None
    return body_of(hint)


@functools.cache
def body_of(cls: type) -> st.SearchStrategy[dict[str, Any]]:
    hints = get_type_hints(cls)
    members = {
        wire_name(field.name): st.one_of(*[value_for(hints[field.name])] * 3, JSON)
        for field in attrs.fields(cls)
    }
    needed = {name: members.pop(name) for name in ("id",) if name in members}
    return st.fixed_dictionaries(needed, optional={**members, "unknownMember": JSON})


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), cls=st.sampled_from(MODELS))
def test_generated_bodies(data: st.DataObject, cls: type) -> None:
    items = data.draw(st.lists(body_of(cls), max_size=3))
    assert_same(envelope(*items), cls)


@settings(max_examples=150, deadline=None)
@given(body=JSON, cls=st.sampled_from(MODELS))
@example(body=None, cls=imodels.IModel)
@example(body={"items": None}, cls=imodels.IModel)
@example(body={"items": {}}, cls=imodels.IModel)
@example(body={"items": [None]}, cls=imodels.IModel)
@example(body={"items": [[]], "_links": 5}, cls=imodels.IModel)
def test_any_json(body: object, cls: type) -> None:
    assert_same(json.dumps(body).encode(), cls)
    assert_same(json.dumps({"items": [body], "_links": None}).encode(), cls)


ITEM = b'{"items":[{"id":"a",%s}]}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[]",
        b"null",
        b'{"items":[]}',
        b' \n{"items":[]}\t',
        b'{"items":[]}x',
        b"\xef\xbb\xbf{}",
        b'{"items":[{"id":"a"}],"items":[{"id":"b"}]}',
        b'{"items":5,"items":[{"id":"b"}]}',
        b'{"items":[{"id":"b"}],"items":5}',
        ITEM % b'"id":5',
        ITEM % b'"name":5,"name":"x"',
        ITEM % b'"name":"x","name":null',
        ITEM % b'"name":"\xff"',
        ITEM % b'"name":"\\ud800"',
        ITEM % b'"name":"\\ud83d\\ude00"',
        ITEM % b'"name":"\x01"',
        ITEM % b'"other":"\\q"',
        ITEM % b'"other":01',
        ITEM % b'"other":nul',
        ITEM % b'"other":{"a":1,}',
        ITEM % (b'"other":' + b"[" * 500 + b"]" * 500),
        ITEM % (b'"other":' + b"[" * 200_000 + b"]" * 200_000),
        ITEM % (b'"other":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
        *(ITEM % b'"containersEnabled":%s' % number for number in (b"1.0", b"1e2", b"-0", b"true")),
        ITEM % (b'"containersEnabled":1' + b"0" * 30),
        ITEM % (b'"containersEnabled":1' + b"0" * 400),
        ITEM % (b'"containersEnabled":1' + b"0" * 5000),
        ITEM % b'"extent":{"southWest":{"latitude":1,"longitude":1e400}}',
        ITEM % (b'"extent":{"southWest":{"latitude":1,"longitude":1' + b"0" * 400 + b"}}"),
        ITEM % b'"extent":{"southWest":{"latitude":1,"longitude":2}}',
        ITEM % b'"createdDateTime":"2024-03-18T24:00:00Z"',
        ITEM % b'"createdDateTime":"9999-12-31T23:59:59.9999999Z"',
        ITEM % b'"createdDateTime":1710743638',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
def test_odd_texts(body: bytes) -> None:
    assert_same(body, imodels.IModel)


def test_known_members_do_not_suffer_from_what_nobody_reads() -> None:
    # The only difference: the fast path passes over such a number in a member that the model lacks.
    body = ITEM % b'"unknown":1e999'
    items, _ = FAST.page(body, imodels.IModel, "items")
    assert items == [imodels.IModel("a")]
    assert "not JSON" in str(verdict(SLOW, body, imodels.IModel))


def test_bytes_that_are_no_text_are_no_json() -> None:
    for body in (ITEM % b'"unknown":"\xff"', ITEM % b'"displayName":"\xff"'):
        assert_same(body, imodels.IModel)
        assert "not JSON" in str(verdict(FAST, body, imodels.IModel))


@pytest.mark.parametrize(("cls", "item"), shapes.PLAIN)
def test_plain_models_take_the_fast_path(cls: type, item: dict[str, Any]) -> None:
    body = envelope(item, {**item, "unknownMember": [None]})
    assert_same(body, cls)
    assert takes_fast_path(cls, body)
    first, second = FAST.page(body, cls, "items")[0]
    assert type(first) is cls
    assert first == second
    assert copy.copy(first) == copy.deepcopy(first) == pickle.loads(pickle.dumps(first)) == first


@pytest.mark.parametrize(("cls", "item"), shapes.ODD)
def test_odd_models_are_left_to_the_converter(cls: type, item: dict[str, Any]) -> None:
    body = envelope(item)
    assert_same(body, cls)
    assert not takes_fast_path(cls, body)
    assert type(FAST.page(body, cls, "items")[0][0]) is cls


def test_looking_at_a_class_has_no_effect_on_it() -> None:
    FAST.page(envelope({"id": "a", "displayName": "n"}), shapes.CountsChildren, "items")
    assert shapes.CountsChildren.children == 0


def test_validators_and_converters_of_callers_run() -> None:
    assert FAST.page(envelope({"id": "a"}), shapes.WithConverter, "items")[0][0].id == "A"
    assert FAST.page(envelope({"id": "a"}), shapes.WithPostInit, "items")[0][0] == (
        shapes.WithPostInit("a")
    )
    assert verdict(FAST, envelope({"id": "a"}), shapes.WithValidator) == verdict(
        SLOW, envelope({"id": "a"}), shapes.WithValidator
    )
    assert "$.items[0]" in str(verdict(FAST, envelope({"id": "a"}), shapes.WithValidator))


def test_a_local_class_whose_types_were_resolved() -> None:
    @attrs.frozen
    class Inner:
        inner_name: str

    @attrs.frozen
    class Outer:
        id: str
        one_inner: Inner | None = None

    attrs.resolve_types(Inner, globals(), locals())
    attrs.resolve_types(Outer, globals(), locals())
    body = envelope({"id": "a", "oneInner": {"innerName": "b"}})
    assert_same(body, Outer)
    assert FAST.page(body, Outer, "items")[0] == [Outer("a", Inner("b"))]


def test_a_class_made_without_annotations() -> None:
    made = attrs.make_class("made", ["id"])
    assert_same(envelope({"id": [1]}), made)


def test_one_entity_in_its_envelope() -> None:
    body = b'{"tag":{"id":"a","displayName":"n","_links":{"iModel":{"href":"x"}}}}'
    for codec in (FAST, SLOW):
        tag = codec.member(body, saved_views.Tag, "tag")
        assert tag.links is not None
        assert tag.links.imodel is not None
        assert type(tag) is saved_views.Tag
    one = FAST.member(b'{"x":{"id":"a","displayName":"n"}}', itwins.ITwin, "x")
    assert one == SLOW.member(b'{"x":{"id":"a","displayName":"n"}}', itwins.ITwin, "x")
    assert type(one) is itwins.ITwin
