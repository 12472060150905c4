"""Models of callers, simple and odd; the odd ones mean what only the converter understands."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

import attrs

from itwin_async import imodels


@attrs.frozen
class Part:
    part_name: str
    weight: float | None = None


@attrs.frozen
class Machine:
    id: str
    display_name: str | None
    main_part: Part | None = None
    spare_parts: list[Part] | None = None
    tags: list[str] | None = None
    rows: list[list[int]] | None = None
    is_new: bool = False
    made_at: datetime | None = None
    count_of_all: int = 7


@attrs.define
class Loose:
    id: str
    display_name: str = "none"
    parts: list[Part] | None = None


@attrs.define(slots=False)
class Open:
    id: str
    display_name: str | None = None


@attrs.frozen
class Wider(imodels.IModel):
    project_phase: str | None = None


class PlainChild(imodels.IModelSummary):
    """A subclass that attrs knows nothing of."""

    @property
    def shout(self) -> str:
        return f"{self.display_name}!"


@attrs.define
class WithFactory:
    id: str
    names: list[str] = attrs.field(factory=lambda: ["made"])


@attrs.define
class WithConverter:
    id: str = attrs.field(converter=str.upper)


@attrs.define
class WithValidator:
    id: str = attrs.field(validator=attrs.validators.min_len(2))


@attrs.define
class WithHook:
    id: str
    doubled: str = attrs.field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self.doubled = self.id * 2


@attrs.define
class WithPostInit:
    id: str
    display_name: str | None = None

    def __attrs_post_init__(self) -> None:
        self.display_name = f"<{self.id}>"


@attrs.define
class OwnInit:
    id: str

    def __init__(self, id: str) -> None:  # noqa: A002
        self.id = f"own {id}"


class OwnInitLater(imodels.IModelSummary):
    def __init__(self, **values: Any) -> None:
        super().__init__(**{**values, "display_name": "own"})


@attrs.define
class OwnNew:
    id: str
    made = 0

    def __new__(cls, *_: object, **__: object) -> Self:
        cls.made += 1
        return super().__new__(cls)


@attrs.define
class OwnSetter:
    display_name: str

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, f"set {value}")


class Meta(type):
    pass


@attrs.define
class WithMeta(metaclass=Meta):
    id: str
    display_name: str | None = None


@attrs.define
class CountsChildren:
    id: str
    display_name: str | None = None
    children = 0

    def __init_subclass__(cls, **options: object) -> None:
        CountsChildren.children += 1


@attrs.define
class Falsy:
    id: str

    def __bool__(self) -> bool:
        return False


@attrs.define
class HoldsFalsy:
    one_thing: Falsy
    more_things: list[Falsy] | None = None


@attrs.frozen
class Tree:
    node_name: str
    sub_trees: list[Tree] | None = None


@attrs.frozen
class Marked:
    id: Annotated[str, "a note"]
    any_thing: Any = None
    mapped: dict[str, int] | None = None


@attrs.frozen(kw_only=True)
class Keyword:
    class_: str
    _hidden_name: str = "x"


PLAIN = [
    (Machine, {"id": "1", "displayName": None, "mainPart": {"partName": "p", "weight": 1}}),
    (
        Machine,
        {"id": "1", "displayName": "é", "spareParts": [{"partName": "a"}, {"partName": "b"}]},
    ),
    (Machine, {"id": "1", "displayName": "x", "rows": [[1, 2], []], "tags": ["a"], "isNew": True}),
    (Machine, {"id": "1", "displayName": "x", "madeAt": "2024-01-02T03:04:05.1234567Z"}),
    (Machine, {"id": "1", "displayName": "x", "madeAt": "2024-01-02T03:04:05"}),
    (Loose, {"id": "1", "parts": [{"partName": "p"}]}),
    (Wider, {"id": "1", "projectPhase": "late", "_links": {"creator": {"href": "x"}}}),
    (PlainChild, {"id": "1", "displayName": "n"}),
    (Keyword, {"class": "c", "HiddenName": "h"}),
]
ODD = [
    (Open, {"id": "1", "displayName": "n"}),
    (WithFactory, {"id": "1"}),
    (WithConverter, {"id": "a"}),
    (WithValidator, {"id": "ab"}),
    (WithHook, {"id": "a"}),
    (WithPostInit, {"id": "a"}),
    (OwnInit, {"id": "a"}),
    (OwnInitLater, {"id": "a", "displayName": "n"}),
    (OwnNew, {"id": "a"}),
    (OwnSetter, {"displayName": "a"}),
    (WithMeta, {"id": "a", "displayName": "n"}),
    (CountsChildren, {"id": "a", "displayName": "n"}),
    (HoldsFalsy, {"oneThing": {"id": "a"}, "moreThings": [{"id": "b"}]}),
    (Tree, {"nodeName": "a", "subTrees": [{"nodeName": "b", "subTrees": [{"nodeName": "c"}]}]}),
    (Marked, {"id": "a", "anyThing": {"x": [1]}, "mapped": {"k": 1}}),
]
