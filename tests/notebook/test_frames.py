"""Pages as Arrow streams and data frames."""

from __future__ import annotations

import sys
from datetime import datetime

import attrs
import pytest
from doubles import refused

from itwin_async import ConfigurationError, Session, imodels, itwins, saved_views, to_arrow
from itwin_async.emulator import Emulator

pa = pytest.importorskip("pyarrow")

PLAIN = ["id", "display_name", "data_center_location"]


async def test_a_page_is_an_arrow_stream_with_the_columns_of_its_class(
    session: Session, itwin_id: str
) -> None:
    page = await imodels.list_imodels(session, itwin_id, page_size=7).full()
    table = pa.table(page)
    kinds = {field.name: str(field.type) for field in table.schema}
    shown = [field.name for field in attrs.fields(imodels.IModel) if field.repr]
    assert list(kinds) == shown
    assert kinds["id"] == "string"
    assert kinds["created_date_time"] == "timestamp[us, tz=UTC]"
    assert kinds["is_secured"] == "bool"
    assert kinds["containers_enabled"] == "int64"
    assert not table.schema.field("id").nullable
    extent = table.schema.field("extent").type
    assert str(extent.field("south_west").type.field("latitude").type) == "double"
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == [item.id for item in page]
    assert [row["created_date_time"] for row in rows] == [item.created_date_time for item in page]
    assert [row["extent"] for row in rows] == [
        None if item.extent is None else attrs.asdict(item.extent) for item in page
    ]
    assert table.equals(to_arrow(page))
    assert table.equals(to_arrow(page.items))


async def test_no_signed_address_is_in_a_table() -> None:
    signed = imodels.StorageLink("https://x/?sig=s3cr3t", "azure")
    one = imodels.IModel("a", links=imodels.IModelLinks(upload=signed))
    table = to_arrow([one])
    assert table["links"].to_pylist()[0]["upload"] == {"storage_type": "azure"}
    assert "image" not in to_arrow([itwins.ITwin("a", image="https://x/?sig=s3cr3t")]).column_names


async def test_what_is_in_no_column_of_its_own_is_json() -> None:
    view = saved_views.SavedView("a", tags=[saved_views.Tag("b")], shared=False)
    table = to_arrow([view])
    assert table["tags"].to_pylist() == ['[{"id":"b"}]']
    assert table["shared"].to_pylist() == [False]


async def test_frames_of_every_library(session: Session, itwin_id: str) -> None:
    pager = imodels.list_imodels(session, itwin_id, page_size=10)
    everything = await pager.collect()
    assert len(everything) > 10
    table = await pager.frame("pyarrow")
    assert table.column_names == PLAIN
    assert table.num_rows == len(everything)
    assert (await pager.frame("pyarrow", limit=3)).num_rows == 3


async def test_a_pandas_frame_has_flat_columns(session: Session, itwin_id: str) -> None:
    pandas = pytest.importorskip("pandas")
    pager = imodels.list_imodels(session, itwin_id, page_size=10).full()
    frame = await pager.frame()
    first = await pager.collect()
    assert isinstance(frame, pandas.DataFrame)
    assert [*frame["id"]] == [item.id for item in first]
    assert isinstance(frame["created_date_time"].dt.year.iloc[0].item(), int)
    places = frame["extent_south_west_latitude"]
    assert places.dtype == "float64"
    assert places.notna().sum() == len([item for item in first if item.extent is not None])
    assert not [
        name for name in frame.columns if "." in name or frame[name].map(type).eq(dict).any()
    ]


async def test_a_polars_frame_is_made_of_a_page_or_a_pager(session: Session, itwin_id: str) -> None:
    polars = pytest.importorskip("polars")
    pager = imodels.list_imodels(session, itwin_id, page_size=10).full()
    page = await pager
    frame = polars.DataFrame(page)
    assert frame.schema["created_date_time"] == polars.Datetime("us", "UTC")
    assert frame["created_date_time"].to_list() == [item.created_date_time for item in page]
    assert frame["extent"].dtype == polars.Struct
    assert frame.equals(await pager.frame("polars", limit=10))


async def test_a_list_without_items_has_columns_too(session: Session, itwin_id: str) -> None:
    pager = imodels.list_imodels(session, itwin_id, name="none of that name")
    assert (await pager.frame("pyarrow")).column_names == PLAIN
    assert to_arrow([], imodels.IModelSummary).column_names == PLAIN
    assert to_arrow(await pager).column_names == PLAIN


def test_what_no_table_can_be_made_of() -> None:
    with refused("item"):
        to_arrow([])
    with refused("items"):
        to_arrow(["a"])
    with refused("geometry"):
        to_arrow([imodels.IModelSummary("a")], geometry=True)


def test_numbers_and_days_beyond_arrow_are_null() -> None:
    when = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    table = to_arrow([imodels.IModel("a", containers_enabled=2**70, created_date_time=when)])
    assert table["containers_enabled"].to_pylist() == [None]
    assert table["created_date_time"].to_pylist() == [None]


async def test_a_library_that_is_wrong_or_missing_is_told_before_any_request(
    emulator: Emulator, session: Session, itwin_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pager = imodels.list_imodels(session, itwin_id)
    with refused("library"):
        await pager.frame("dask")  # type: ignore[call-overload]
    for name in ("pandas", "polars", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    for name, extra in (("pandas", "pandas"), ("polars", "polars"), ("pyarrow", "arrow")):
        with pytest.raises(ConfigurationError) as caught:
            await pager.frame(name)  # type: ignore[call-overload]
        assert f"itwin-async[{extra}]" in str(caught.value)
    assert emulator.requests == []
    page = await pager
    with pytest.raises(ConfigurationError):
        page.__arrow_c_stream__()
