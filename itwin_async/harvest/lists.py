"""The platform's lists as sources, made from the declarations of their operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Unpack, cast

import attrs

from itwin_async import catalog, imodels, itwins, saved_views
from itwin_async._arguments import one_of
from itwin_async._http import urls
from itwin_async.errors import ArgumentError
from itwin_async.harvest.ids import Ids, digest, read_ids
from itwin_async.harvest.itwin_filters import Chosen, Filters, chosen
from itwin_async.harvest.sources import DetailSource, Source
from itwin_async.operations import DetailListOperation, ListOperation
from itwin_async.paging import DetailPager, Pager
from itwin_async.session import Session

_ITWINS = ("itwins", "favorite-itwins", "recent-itwins")
# What some functions are given beside ids and paging, so that nothing is left out.
_WHOLE: dict[str, object] = {"after_changeset_index": 0}
_IDS: dict[type, str] = {
    imodels.ChangesetExtendedData: "changeset_id",
    saved_views.Extension: "extension_name",
}


@attrs.frozen
class _Declared:
    """A list operation, and the ids that its function needs."""

    operation: ListOperation[object]
    function: Callable[..., Pager[object]]
    ids: tuple[str, ...]
    further: tuple[tuple[str, object], ...]
    grows: bool


@attrs.frozen
class _Scope:
    """Which iTwins and iModels a harvest is about."""

    itwins: tuple[str, ...] | None = None
    imodels: tuple[str, ...] | None = None
    of: str | None = None
    filters: Chosen = attrs.Factory(Chosen)


def list_names() -> list[str]:
    """Name the lists that ``lists`` knows, as ``itwin-async harvest --what`` does."""
    return list(_declared())


def lists(
    *names: str,
    itwin_ids: Ids | None = None,
    imodel_ids: Ids | None = None,
    of: str | None = None,
    full: bool = False,
    **filters: Unpack[Filters],
) -> list[Source[object]]:
    """
    Harvest lists of the platform, by the names of their operations, into one target.

    Lists of an iTwin are harvested for each iTwin, lists of an iModel for each iModel of these
    iTwins, and so on for views and repositories. What stands between is requested once.

    Args:
        names: such as ``"imodels"`` and ``"named-versions"``; see ``list_names``.
        itwin_ids: GUIDs of the iTwins, or a file of them.
        imodel_ids: ids of the iModels, or a file of them.
        of: where iTwins come from that are not given: ``"itwins"``, all that the user is a member
            of, ``"favorite-itwins"`` or ``"recent-itwins"``. By default all, but the favorite ones
            for ``"favorite-imodels"`` and ``"recent-imodels"``.
        full: whole entities where there are summaries.
        filters: which iTwins of these lists, as for ``itwins.list_itwins``; ``status`` may be
            several. Inactive ones are left out, as by the platform, without ``include_inactive``.

    Raises:
        ArgumentError: there is no such list, or none of them is of what is given.

    """
    if not names:
        raise ArgumentError("give the name of at least one list", argument="names")
    if of is not None:
        one_of("of", of, _ITWINS)
    scope = _Scope(
        read_ids("itwin_ids", itwin_ids), read_ids("imodel_ids", imodel_ids), of, chosen(filters)
    )
    for key in scope.itwins or ():
        urls.guid("itwin_ids", key)
    found = [_source(one_of("names", name, _declared()), scope) for name in dict.fromkeys(names)]
    _check_used(names, scope)
    if scope.filters and not any(map(_asks_for_itwins, found)):
        raise ArgumentError(
            f"filters of iTwins need a list of iTwins; got {', '.join(names)} of given ids",
            argument=min(name for name, value in filters.items() if value is not None),
        )
    return [
        source.full() if full and isinstance(source, DetailSource) else source for source in found
    ]


def takes(name: str, of: str) -> bool:
    """Tell whether a list is one of an iTwin or an iModel, itself or by what it belongs to."""
    declared = _declared()[name]
    if of in declared.ids:
        return True
    parent = _parent(name)
    return parent is not None and takes(parent, of)


def favorite_itwins(
    **filters: Unpack[Filters],
) -> DetailSource[itwins.ITwinSummary, itwins.ITwin]:
    """Harvest the favorite iTwins; inactive ones with ``include_inactive=True`` only."""
    (source,) = lists("favorite-itwins", **filters)
    return cast("DetailSource[itwins.ITwinSummary, itwins.ITwin]", source)


def recent_itwins(
    **filters: Unpack[Filters],
) -> DetailSource[itwins.ITwinSummary, itwins.ITwin]:
    """Harvest the recently used iTwins; inactive ones with ``include_inactive=True`` only."""
    (source,) = lists("recent-itwins", **filters)
    return cast("DetailSource[itwins.ITwinSummary, itwins.ITwin]", source)


def favorite_imodels(
    itwin_ids: Ids | None = None, **filters: Unpack[Filters]
) -> DetailSource[imodels.IModelSummary, imodels.IModel]:
    """
    Harvest the favorite iModels of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.
        filters: which favorite iTwins.

    """
    (source,) = lists("favorite-imodels", itwin_ids=itwin_ids, **filters)
    return cast("DetailSource[imodels.IModelSummary, imodels.IModel]", source)


def recent_imodels(
    itwin_ids: Ids | None = None, **filters: Unpack[Filters]
) -> DetailSource[imodels.IModelSummary, imodels.IModel]:
    """
    Harvest the recently used iModels of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all favorite iTwins.
        filters: which favorite iTwins.

    """
    (source,) = lists("recent-imodels", itwin_ids=itwin_ids, **filters)
    return cast("DetailSource[imodels.IModelSummary, imodels.IModel]", source)


def tags(itwin_ids: Ids | None = None, **filters: Unpack[Filters]) -> Source[saved_views.Tag]:
    """
    Harvest the tags of iTwins.

    Args:
        itwin_ids: GUIDs of the iTwins, or a file of them; by default all iTwins of the user.
        filters: which iTwins of the user.

    """
    return cast("Source[saved_views.Tag]", lists("tags", itwin_ids=itwin_ids, **filters)[0])


@cache
def _declared() -> dict[str, _Declared]:
    return dict(_declarations())


def _declarations() -> Iterator[tuple[str, _Declared]]:
    for entry in catalog.operations():
        operation = entry.operation
        if not isinstance(operation, ListOperation):
            continue
        known = [parameter.name for parameter in entry.parameters]
        ids = operation.placeholders or (("itwin_id",) if "itwin_id" in known else ())
        further = tuple((name, value) for name, value in _WHOLE.items() if name in known)
        wing, _, function = operation.name.partition(".")
        name = function.removeprefix("list_").replace("_", "-")
        if name in {"favorites", "recents"}:
            name = f"{name.removesuffix('s')}-{wing}"
        lister = cast("Callable[..., Pager[object]]", entry.function)
        yield name, _Declared(operation, lister, ids, further, "after_index" in known)


def _parent(name: str) -> str | None:
    """Find the list whose items have lists of this name."""
    declared = _declared()[name]
    path = declared.operation.path
    above = path[: path.rindex("/{")] if declared.operation.placeholders else "/itwins"
    if not declared.ids:
        return None
    return next(other for other, each in _declared().items() if each.operation.path == above)


def _source(name: str, scope: _Scope) -> Source[object]:
    declared = _declared()[name]
    operation, ids = declared.operation, declared.ids
    outer, keys, parameters = _outer(name, scope)
    paged = operation.paging != "none"
    filters = scope.filters if name in _ITWINS else Chosen()
    inner = partial(_pager, declared.function, ids, paged, declared.further, filters)
    cls = operation.item
    has_id = "id" in _attributes(cls)
    facts = {
        "name": name,
        "item": cls,
        "inner": inner,
        "outer": outer,
        "keys": keys,
        "parameters": parameters,
        "table": name.replace("-", "_"),
        "id": "id" if has_id else _IDS.get(cls),
        "depth": max(1, len(ids)),
        "only": _capability(operation, outer),
        "grows": declared.grows,
    }
    if not isinstance(operation, DetailListOperation):
        return Source(**facts)  # type: ignore[arg-type]
    facts["parameters"] = {"prefer": "minimal", **parameters}
    full = partial(_full_pager, inner)
    return DetailSource(**facts, full_item=operation.full, full_inner=full)  # type: ignore[arg-type]


def _outer(
    name: str, scope: _Scope
) -> tuple[Source[object] | None, tuple[str, ...], dict[str, str]]:
    """Tell where the keys come from, and what a target remembers of that."""
    ids, parent = _declared()[name].ids, _parent(name)
    if name in _ITWINS:
        told = {"filters": str(scope.filters)} if scope.filters else {}
        return None, scope.filters.keys, told
    if parent is None:
        return None, ("",), {}
    given = {"itwin_id": scope.itwins, "imodel_id": scope.imodels}.get("".join(ids))
    if given is not None:
        return None, given, {ids[0].replace("_id", "s"): digest(given)}
    if parent == "itwins":
        personal = name in {"favorite-imodels", "recent-imodels"}
        parent = scope.of or ("favorite-itwins" if personal else "itwins")
        of = {"itwins": "all", "favorite-itwins": "all favorites", "recent-itwins": "all recents"}
        with_ = f" with {scope.filters}" if scope.filters else ""
        return _source(parent, scope), (), {"itwins": f"{of[parent]}{with_}"}
    outer = _source(parent, scope)
    decided = {key: value for key, value in outer.parameters.items() if key != "prefer"}
    return outer, (), decided


def _capability(
    operation: ListOperation[object], outer: Source[object] | None
) -> Callable[[object], bool] | None:
    if outer is None or "capabilities" not in _attributes(outer.item):
        return None
    return partial(_is_capable, operation.key)


def _attributes(cls: type) -> set[str]:
    return {field.name for field in attrs.fields(cls)}


def _is_capable(name: str, item: object) -> bool:
    """Tell whether the platform says that a repository or a resource has such a list."""
    return getattr(getattr(item, "capabilities", None), name, None) is not None


def _asks_for_itwins(source: Source[object]) -> bool:
    outer = source.outer
    return source.name in _ITWINS or (isinstance(outer, Source) and _asks_for_itwins(outer))


def _check_used(names: tuple[str, ...], scope: _Scope) -> None:
    for argument, ids, of, noun in (
        ("itwin_ids", scope.itwins, "itwin_id", "iTwin"),
        ("imodel_ids", scope.imodels, "imodel_id", "iModel"),
    ):
        if ids is not None and not any(takes(name, of) for name in names):
            raise ArgumentError(
                f"{argument} needs a list of an {noun}; got {', '.join(names)}", argument=argument
            )
    if scope.imodels is not None and scope.itwins is None:
        whole = [name for name in names if takes(name, "itwin_id") and not takes(name, "imodel_id")]
        if whole:
            raise ArgumentError(
                f"give itwin_ids too: {whole[0]} is a list of an iTwin", argument="imodel_ids"
            )


def _pager(
    function: Callable[..., Pager[object]],
    ids: tuple[str, ...],
    paged: bool,
    further: tuple[tuple[str, object], ...],
    filters: Chosen,
    session: Session,
    key: str,
    /,
    *,
    page_size: int,
    cursor: str | None,
    **more: int,
) -> Pager[object]:
    """Call a list function; its ids are in the key."""
    given = dict(zip(ids, key.split("/"), strict=False))
    size = {"page_size": page_size} if paged else {}
    chosen_ = filters.of(key) if filters else {}
    return function(session, **given, **size, **dict(further), **chosen_, **more, cursor=cursor)


def _full_pager(
    inner: Callable[..., Pager[object]],
    session: Session,
    key: str,
    /,
    *,
    page_size: int,
    cursor: str | None,
    **more: int,
) -> Pager[object]:
    made = inner(session, key, page_size=page_size, cursor=cursor, **more)
    return cast("DetailPager[object, object]", made).full()
