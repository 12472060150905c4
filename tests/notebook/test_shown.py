"""What a notebook and a shell show of pages, pagers, reports, models and errors."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from doubles import CannedServer, Reply

from itwin_async import ITwinError, NotFoundError, Page, Session, harvest, imodels, itwins
from itwin_async.emulator import Emulator

SIGNED = "https://storage.example/file?sig=s3cr3t"
SCRIPT = "<script>alert('&')</script>"


class Shown(HTMLParser):
    """The texts of a table, cell by cell, and what tags there are."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        opened = [tag for tag in self.tags if not tag.startswith("/")]
        assert sorted(opened) == sorted(tag[1:] for tag in self.tags if tag.startswith("/"))

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.rows and self.tags[-1] in {"td", "th"}:
            self.rows[-1][-1] += data


async def page_of(entries: list[dict[str, object]], *, following: bool = False) -> Page[Any]:
    link = {"next": {"href": "/imodels?$skip=1"}} if following else {}
    answer = Reply(json.dumps({"iModels": entries, "_links": link}).encode())
    async with (
        CannedServer(lambda _: answer) as server,
        Session("t", base_url=server.base_url) as session,
    ):
        itwin = "7d1b3d62-0c6f-4f2c-bb25-0b9e4d6a5c11"
        return await imodels.list_imodels(session, itwin).full()


async def test_a_page_shows_twenty_rows_and_what_comes_next(
    session: Session, itwin_id: str
) -> None:
    page = await imodels.list_imodels(session, itwin_id, page_size=25)
    shown = Shown(page._repr_html_())
    assert shown.rows[0] == ["id", "display_name", "data_center_location"]
    assert [row[0] for row in shown.rows[1:]] == [item.id for item in page.items[:20]]
    assert "imodels.list_imodels: 25 IModelSummary" in shown.texts
    assert shown.texts[-1].startswith("5 more in this page; a page follows")
    last = [page async for page in imodels.list_imodels(session, itwin_id, page_size=25).pages()][
        -1
    ]
    assert Shown(last._repr_html_()).texts[-1] == "this is the last page"
    assert len(Shown(last._repr_html_()).rows) == 1 + len(last)


async def test_what_the_platform_sends_is_no_html() -> None:
    page = await page_of([{"id": "a", "displayName": SCRIPT, "name": "x" * 500}])
    html = page._repr_html_()
    shown = Shown(html)
    assert "script" not in shown.tags
    assert shown.rows[1][1] == SCRIPT
    assert len(shown.rows[1][2]) == 80
    assert len(html) < 1000


async def test_no_signed_address_is_shown() -> None:
    entry = {"id": "a", "_links": {"upload": {"href": SIGNED}}}
    page = await page_of([entry])
    assert page[0].links.upload.href == SIGNED
    assert "s3cr3t" not in page._repr_html_() + repr(page) + repr(page[0]) + repr([*page])
    image = itwins.ITwin("a", image=SIGNED)
    assert "s3cr3t" not in repr(image) + repr(image.__geo_interface__)


async def test_an_empty_page_can_be_shown() -> None:
    page = await page_of([])
    assert Shown(page._repr_html_()).rows == []
    assert repr(page) == "<Page imodels.list_imodels: 0 IModel, the last page>"
    assert page


async def test_a_page_can_do_what_a_sequence_can(session: Session, itwin_id: str) -> None:
    page = await imodels.list_imodels(session, itwin_id, page_size=5)
    for name in Sequence.__abstractmethods__ | {"index", "count", "__reversed__", "__contains__"}:
        assert hasattr(page, name)
    assert [*reversed(page)] == page[::-1]
    assert page[1] in page
    assert itwins.ITwin("a") not in page
    assert page.index(page[-1]) == len(page) - 1
    assert page.count(page[0]) == 1
    with pytest.raises(ValueError, match="not in list"):
        page.index(page[0], 1)
    assert page.has_next
    assert repr(page) == "<Page imodels.list_imodels: 5 IModelSummary, a page follows>"


async def test_pagers_and_iterators_tell_what_they_are(session: Session, itwin_id: str) -> None:
    pager = imodels.list_imodels(session, itwin_id, name="Pier", page_size=2)
    assert repr(pager) == (
        f"<DetailPager imodels.list_imodels of IModelSummary, iTwinId={itwin_id}, name=Pier>"
    )
    assert repr(pager.full()).startswith("<Pager imodels.list_imodels of IModel, ")
    everything = imodels.list_imodels(session, itwin_id, page_size=4)
    pages, items = everything.pages(), aiter(everything)
    assert repr(pages) == "<PageIterator imodels.list_imodels open, pages: 0>"
    await anext(pages)
    await anext(items)
    assert repr(pages) == "<PageIterator imodels.list_imodels open, pages: 1>"
    assert repr(items) == (
        "<ItemIterator imodels.list_imodels open, pages: 1, items left of the last one: 3>"
    )
    await pages.aclose()
    await items.aclose()
    assert repr(pages) == "<PageIterator imodels.list_imodels at its end, pages: 1>"
    assert "at its end" in repr(items)


async def test_a_session_tells_its_host_and_whether_it_is_open(emulator: Emulator) -> None:
    session = Session("secret", base_url=emulator.base_url)
    host = repr(emulator.base_url)
    assert repr(session) == f"<Session {host} not open yet>"
    async with session:
        assert repr(session) == f"<Session {host} open>"
        assert repr(session.with_token("other")) == f"<Session {host} open>"
    assert repr(session) == f"<Session {host} closed>"


def test_a_model_shows_the_members_that_are_there() -> None:
    assert repr(imodels.IModel("a", name="Pier")) == "IModel(id='a', name='Pier')"
    assert repr(imodels.IModel("a", containers_enabled=0)) == "IModel(id='a', containers_enabled=0)"
    shown = imodels.IModel("a", extent=imodels.Extent(imodels.Point(1, 2), imodels.Point(3, 4)))
    assert eval(repr(shown), vars(imodels)) == shown


async def test_an_error_shows_all_that_it_tells(session: Session) -> None:
    with pytest.raises(NotFoundError) as caught:
        await imodels.get_imodel(session, "missing")
    error = caught.value
    assert repr(error) == f"NotFoundError({str(error)!r})"
    assert error.request_id in repr(error)
    assert repr(ITwinError("lost")) == "ITwinError('lost')"


async def test_a_harvest_shows_how_far_it_is(session: Session, tmp_path: Path) -> None:
    target = tmp_path / f"{SCRIPT.replace('/', '')}.db"
    report = await harvest.run(session, harvest.favorite_imodels(), target)
    told = harvest.status(target)
    for html, parts in (
        (report._repr_html_(), (": complete", f"{report.progress.items:,}")),
        (told._repr_html_(), (": finished", f"{told.items:,}")),
    ):
        shown = Shown(html)
        assert set(shown.tags) <= {
            tag
            for name in ("div", "p", "b", "table", "tbody", "tr", "td")
            for tag in (name, f"/{name}")
        }
        assert shown.texts[0].endswith(parts[0])
        facts = dict(shown.rows)
        assert facts["rows"].startswith(parts[1])
        assert facts["lists failed"] == "0"
        assert re.fullmatch(r"\d+ of \d+", facts["lists done"])


def test_a_harvest_shows_its_first_failures() -> None:
    failures = [harvest.Failure(f"id {n}", None, "ServerError", SCRIPT) for n in range(23)]
    status = harvest.Status(
        "a.db", {"what": "x"}, 30, 2, 23, all_known=False, items=4, pages=1, failures=failures
    )
    shown = Shown(status._repr_html_())
    facts = dict(shown.rows)
    assert shown.texts[0].startswith("a.db: unfinished")
    assert facts["failed: id 0"] == f"ServerError: {SCRIPT}"
    assert "failed: id 20" not in facts
    assert facts["further failures"] == "3"
