"""Harvested iTwins and iModels as a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from importlib.resources import files
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
    from matplotlib.figure import Figure

_INK, _POINT, _COAST, _SEA, _GRID = "#0b6e99", "#b5541c", "#8a979f", "#f6f9fb", "#d5dee5"
_MARGIN = 0.08


def draw_map(
    target: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    storage_options: Mapping[str, str] | None = None,
) -> int:
    """
    Draw extents and points on a plain map of longitude and latitude, and count the items.

    An extent over the antimeridian is drawn at both edges, and is one item. The coastline is that
    of Natural Earth, 1:110 million, in the public domain.

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
    libraries = _matplotlib()
    boxes: list[tuple[float, float, float, float]] = []
    points: list[tuple[float, float]] = []
    extents = 0
    for feature in features(target, storage_options):
        if feature is not None:
            before = len(points)
            _place(feature["geometry"], boxes, points)
            extents += len(points) == before
    if not boxes and not points:
        raise TargetError(f"{name_of(target)} has no item with a place on the map")
    count = extents + len(points)
    title = f"{printable(name_of(target))}: {count:,} on the map"
    figure = _drawn(libraries, boxes, points, extents, title)
    picture = BytesIO()  # some formats are not written from front to back
    try:
        figure.savefig(picture, dpi=140, format=output.suffix[1:] or "png")
    except ValueError as problem:  # no such format
        raise TargetError(f"{output} cannot be written: {problem}") from None
    with replacing(output) as file:
        file.write(picture.getbuffer())
    return count


def _drawn(
    libraries: tuple[ModuleType, ModuleType, ModuleType],
    boxes: list[tuple[float, float, float, float]],
    points: list[tuple[float, float]],
    extents: int,
    title: str,
) -> Figure:
    figures, patches, collections = libraries
    figure: Figure = figures.Figure(figsize=(12, 6.6), layout="constrained")
    axes = figure.add_subplot()
    axes.add_collection(collections.LineCollection(_coastline(), colors=_COAST, linewidths=0.6))
    rectangles = [patches.Rectangle((w, s), e - w, n - s) for w, s, e, n in boxes]
    axes.add_collection(
        collections.PatchCollection(
            rectangles, facecolor=_INK, alpha=0.25, edgecolor=_INK, linewidth=0.8
        )
    )
    middles = [((w + e) / 2, (s + n) / 2) for w, s, e, n in boxes]
    # An extent is often smaller than a pixel; a dot in its middle is always seen.
    for spots, color, label in (
        (middles, _INK, f"{extents:,} iModel{'s' * (extents != 1)}"),
        (points, _POINT, f"{len(points):,} iTwin{'s' * (len(points) != 1)}"),
    ):
        if spots:
            across, up = zip(*spots, strict=True)
            axes.scatter(across, up, s=9, color=color, linewidth=0, label=label)
    _frame(axes, boxes, points)
    axes.legend(loc="lower left", fontsize=9, markerscale=2)
    axes.set_title(title, loc="left", fontsize=11)
    return figure


def _coastline() -> list[list[tuple[float, float]]]:
    """Read the lines of the coast, which are kept in tenths of degrees."""
    text = files("itwin_async.harvest").joinpath("coastline.json").read_bytes()
    lines: list[list[int]] = json.loads(text)
    return [
        [(x / 10, y / 10) for x, y in zip(line[::2], line[1::2], strict=True)] for line in lines
    ]


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
