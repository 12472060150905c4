"""iTwins and iModels on the map, in one line."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from itwin_async import Session, imodels, itwins, to_arrow


def imodel(west: float, east: float, **more: Any) -> imodels.IModel:
    corners = imodels.Point(10.0, west), imodels.Point(20.0, east)
    return imodels.IModel("a", extent=imodels.Extent(*corners), **more)


def test_an_imodel_is_a_feature_with_its_rectangle() -> None:
    found = imodel(5.0, 6.0, name="Pier", is_secured=False).__geo_interface__
    assert found["type"] == "Feature"
    assert found["id"] == "a"
    assert found["properties"] == {"id": "a", "name": "Pier", "is_secured": False}
    ring = ((5.0, 10.0), (6.0, 10.0), (6.0, 20.0), (5.0, 20.0), (5.0, 10.0))
    assert found["geometry"] == {"type": "Polygon", "coordinates": (ring,)}
    json.dumps(found, allow_nan=False)


def test_one_across_the_date_line_is_two_rectangles() -> None:
    geometry: Any = imodel(179.0, -178.0).__geo_interface__["geometry"]
    assert geometry["type"] == "MultiPolygon"
    edges = [{x for x, _ in ring} for (ring,) in geometry["coordinates"]]
    assert edges == [{179.0, 180.0}, {-180.0, -178.0}]


def test_an_itwin_is_a_point() -> None:
    found = itwins.ITwin("a", latitude=1.5, longitude=-2.5, image="https://x/?sig=s3cr3t")
    assert found.__geo_interface__ == {
        "type": "Feature",
        "id": "a",
        "geometry": {"type": "Point", "coordinates": (-2.5, 1.5)},
        "properties": {"id": "a"},
    }


@pytest.mark.parametrize(
    "item",
    [
        imodels.IModel("a"),
        imodel(math.nan, 1.0),
        imodel(1.0, math.inf),
        itwins.ITwin("a"),
        itwins.ITwin("a", latitude=1.0),
        itwins.ITwin("a", latitude=1.0, longitude=math.inf),
    ],
)
def test_without_a_place_there_is_no_geometry(item: Any) -> None:
    assert item.__geo_interface__["geometry"] is None


async def test_a_page_is_a_collection_of_what_has_a_place(session: Session, itwin_id: str) -> None:
    page = await imodels.list_imodels(session, itwin_id).full()
    found: Any = page.__geo_interface__
    placed = [item for item in page if item.extent is not None]
    assert 0 < len(placed) < len(page)
    assert found["type"] == "FeatureCollection"
    assert [feature["id"] for feature in found["features"]] == [item.id for item in placed]
    summaries = await imodels.list_imodels(session, itwin_id)
    assert not hasattr(summaries, "__geo_interface__")
    assert not hasattr(summaries[0], "__geo_interface__")


async def test_tables_have_places(session: Session, itwin_id: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    pytest.importorskip("pyarrow")
    page = await imodels.list_imodels(session, itwin_id).full()
    twins = await itwins.list_itwins(session).full()
    rows = [imodel(5.0, 6.0), imodel(179.0, -178.0), imodels.IModel("a")]
    made = to_arrow(rows, geometry=True)
    for source, items in ((page, page.items), (twins, twins.items)):
        frame = geopandas.GeoDataFrame.from_arrow(to_arrow(source, geometry=True))
        by_hand = geopandas.GeoDataFrame.from_features(items)
        missing = by_hand.geometry.isna()
        assert frame.crs == "OGC:CRS84"
        assert (frame.geometry.is_empty == missing).all()
        assert (frame.geometry[~missing].to_wkb() == by_hand.geometry[~missing].to_wkb()).all()
    kinds = geopandas.GeoDataFrame.from_arrow(made).geometry.geom_type
    assert [*kinds] == ["Polygon", "MultiPolygon", "Polygon"]


# What the library warns of when it is loaded is its own to mend.
@pytest.mark.filterwarnings("default")
async def test_lonboard_takes_a_page(session: Session, itwin_id: str) -> None:
    lonboard = pytest.importorskip("lonboard")
    page = await imodels.list_imodels(session, itwin_id).full()
    assert None in {item.extent for item in page}
    (layer,) = lonboard.viz(to_arrow(page, geometry=True)).layers
    assert type(layer).__name__ == "PolygonLayer"
    twins = await itwins.list_itwins(session).full()
    (layer,) = lonboard.viz(to_arrow(twins, geometry=True)).layers
    assert type(layer).__name__ == "ScatterplotLayer"


async def test_geopandas_and_folium_take_it(session: Session, itwin_id: str) -> None:
    geopandas = pytest.importorskip("geopandas")
    folium = pytest.importorskip("folium")
    shapely = pytest.importorskip("shapely.geometry")
    page = await imodels.list_imodels(session, itwin_id).full()
    frame = geopandas.GeoDataFrame.from_features(page, crs=4326)
    assert [*frame["name"]] == [item.name for item in page if item.extent is not None]
    assert frame.is_valid.all()
    whole = geopandas.GeoDataFrame.from_features(page.items, crs=4326)
    assert len(whole) == len(page)
    assert whole.geometry.isna().sum() == len(page) - len(frame)
    drawn = folium.Map()
    folium.GeoJson(page).add_to(drawn)
    folium.GeoJson(page[0]).add_to(drawn)
    assert str(page[0].name) in drawn.get_root().render()
    twin = (await itwins.list_itwins(session).full())[0]
    point = shapely.shape(twin.__geo_interface__["geometry"])
    assert (point.x, point.y) == (twin.longitude, twin.latitude)
