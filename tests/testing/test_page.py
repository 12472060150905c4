from __future__ import annotations

from pathlib import Path

import aiohttp
import chromium
import pytest
from yarl import URL

from itwin_async.emulator import Emulator

PROGRAM = chromium.find()
TEXT = "document.getElementById({!r})?.innerText"


@pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(chromium.NAMES)} is installed")
async def test_the_page_shows_the_world_and_follows_it(tmp_path: Path) -> None:
    async with (
        Emulator(itwins=5, imodels=3, strict=True) as emulator,
        chromium.tab(str(PROGRAM), tmp_path) as tab,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {emulator.token}"}) as http,
    ):

        async def get(target: str) -> int:
            async with http.get(URL(emulator.base_url + target, encoded=True)) as response:
                return response.status

        hostile = emulator.add_itwin("<img src=x onerror=alert(1)>")
        await tab.call("Page.navigate", url=f"{emulator.base_url}/")
        await tab.until(TEXT.format("counts"), "6 iTwins · 15 iModels")
        await tab.until(TEXT.format("itwins"), hostile.display_name)
        await tab.until(TEXT.format("operations"), "Get My Favorite iModels")
        await tab.until(TEXT.format("requests"), "Nothing was asked yet.")
        await tab.until(TEXT.format("faults"), "No faults are set.")

        itwin_id = next(iter(emulator.state.itwins))
        emulator.fail("GET /itwins/favorites", status=503)
        assert await get("/itwins/favorites") == 503
        assert await get("/itwins/favorites?$top=0") == 422
        emulator.favorite("ana", itwin_id)
        await tab.until(TEXT.format("requests"), "/itwins/favorites?$top=0")
        await tab.until(TEXT.format("requests"), "fault: GET /itwins/favorites")
        await tab.until(TEXT.format("faults"), "applied 1 of 2")
        await tab.until(TEXT.format("violations"), "422 InvalidiTwinsRequest")
        await tab.until(TEXT.format("itwins"), "★ ana")

        await tab.value("document.querySelector('tr.itwin').click()")
        await tab.until(TEXT.format("itwins"), list(emulator.state.imodels.values())[2].name)

        emulator.reset()
        await tab.until(TEXT.format("counts"), "5 iTwins")
        await tab.until(TEXT.format("requests"), "Nothing was asked yet.")

    logged = [event["entry"] for event in tab.seen("Log.entryAdded")]
    logged = [entry for entry in logged if not str(entry.get("url")).endswith("/favicon.ico")]
    assert [*tab.seen("Runtime.exceptionThrown"), *logged] == []
    asked = {URL(event["request"]["url"]) for event in tab.seen("Network.requestWillBeSent")}
    assert {url.host for url in asked} == {"127.0.0.1"}
