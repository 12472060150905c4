"""Harvested iTwins and iModels as a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from itwin_async.errors import ConfigurationError
from itwin_async.harvest.errors import TargetError
from itwin_async.harvest.geojson import features
from itwin_async.harvest.output import refuse_overlap, replacing
from itwin_async.harvest.progress import printable
from itwin_async.harvest.target import name_of, target_files

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _SEA, _GRID = "#0b6e99", "#f6f9fb", "#d5dee5"
_MARGIN = 0.08


def draw_map(
    target: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, str] | None = None,
) -> int:
    """
    Draw extents and points on a plain map of longitude and latitude, and count them.

    Args:
        target: a target of whole entities (``source.full()``).
        path: the picture; its ending decides the format, such as ``.png`` or ``.svg``.
        storage_options: how an object store is reached, as ``run`` takes them.

    Raises:
        TargetError: there is no such harvest, it has no places, or the picture cannot be written
            or belongs to the target.
        ConfigurationError: matplotlib is not installed.

    """
    output = Path(path)
    refuse_overlap(output, target_files(target, storage_options))
    figures, patches, collections = _matplotlib()
    boxes: list[tuple[float, float, float, float]] = []
    points: list[tuple[float, float]] = []
    for feature in features(target, storage_options):
        if feature is not None:
            _place(feature["geometry"], boxes, points)
    if not boxes and not points:
        raise TargetError(f"{name_of(target)} has no item with a place on the map")
    figure = figures.Figure(figsize=(12, 6.6), layout="constrained")
    axes = figure.add_subplot()
    rectangles = [patches.Rectangle((w, s), e - w, n - s) for w, s, e, n in boxes]
    axes.add_collection(
        collections.PatchCollection(
            rectangles, facecolor=_INK, alpha=0.25, edgecolor=_INK, linewidth=0.8
        )
    )
    middles = [((w + e) / 2, (s + n) / 2) for w, s, e, n in boxes]
    # An extent is often smaller than a pixel; a dot in its middle is always seen.
    spots = points + middles
    axes.scatter([x for x, _ in spots], [y for _, y in spots], s=9, color=_INK, linewidth=0)
    _frame(axes, boxes, points)
    count = len(boxes) + len(points)
    axes.set_title(f"{printable(name_of(target))}: {count:,} on the map", loc="left", fontsize=11)
    picture = BytesIO()  # some formats are not written from front to back
    try:
        figure.savefig(picture, dpi=140, format=output.suffix[1:] or "png")
    except ValueError as problem:  # no such format
        raise TargetError(f"{output} cannot be written: {problem}") from None
    with replacing(output) as file:
        file.write(picture.getbuffer())
    return count


def _place(
    geometry: object,
    boxes: list[tuple[float, float, float, float]],
    points: list[tuple[float, float]],
) -> None:
    if not isinstance(geometry, dict):
        return
    found = geometry["coordinates"]
    if geometry["type"] == "Point":
        points.append((found[0], found[1]))
        return
    for rings in found if geometry["type"] == "MultiPolygon" else (found,):
        (west, south), _, (east, north) = rings[0][:3]
        boxes.append((west, south, east, north))


def _frame(
    axes: Axes,
    boxes: Iterable[tuple[float, float, float, float]],
    points: Iterable[tuple[float, float]],
) -> None:
    corners = [*points]
    for west, south, east, north in boxes:
        corners += [(west, south), (east, north)]
    lows = [min(values) for values in zip(*corners, strict=True)]
    highs = [max(values) for values in zip(*corners, strict=True)]
    edge = [max(0.05, (high - low) * _MARGIN) for low, high in zip(lows, highs, strict=True)]
    axes.set_xlim(max(-180.0, lows[0] - edge[0]), min(180.0, highs[0] + edge[0]))
    axes.set_ylim(max(-90.0, lows[1] - edge[1]), min(90.0, highs[1] + edge[1]))
    axes.set_facecolor(_SEA)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("longitude, degrees")
    axes.set_ylabel("latitude, degrees")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _matplotlib() -> tuple[ModuleType, ModuleType, ModuleType]:
    try:
        from matplotlib import collections, figure, patches  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError("a map needs an extra: pip install 'itwin-async[plot]'") from None
    return figure, patches, collections
