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


@pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(chromium.NAMES)} is installed")
async def test_the_page_sets_faults_and_shows_tokens(tmp_path: Path) -> None:
    async with Emulator(itwins=2) as emulator, chromium.tab(str(PROGRAM), tmp_path) as tab:

        async def put(element: str, value: str) -> None:
            await tab.value(
                f"document.getElementById({element!r}).value = {value!r};"
                f"document.getElementById({element!r}).dispatchEvent(new Event('input'))"
            )

        async def press(selector: str) -> None:
            await tab.value(f"document.querySelector({selector!r}).click()")

        await tab.call("Page.navigate", url=f"{emulator.base_url}/")
        await tab.until(TEXT.format("counts"), "2 iTwins")
        await put("match", "GET /imodels/favorites")
        await put("effect", "status:503")
        await put("times", "3")
        await put("fault-user", "ana")
        await press("#fault-form button")
        await tab.until(TEXT.format("faults"), "status=503")
        [entry] = emulator.faults
        assert (entry.fault.match, entry.fault.status) == ("GET /imodels/favorites", 503)
        assert (entry.fault.times, entry.fault.user) == (3, "ana")
        await put("times", "")
        await put("effect", "drop:middle")
        await press("#fault-form button")
        await tab.until(TEXT.format("faults"), "forever")
        assert (emulator.faults[1].fault.times, emulator.faults[1].fault.drop) == (None, "middle")
        await press("#faults button[data-fault='0']")
        await tab.until("document.querySelectorAll('#faults button').length", "1")
        assert [entry.number for entry in emulator.faults] == [1]
        await press("#clear-faults")
        await tab.until(TEXT.format("faults"), "No faults are set.")
        assert emulator.faults == []
        await put("match", "GET /imodels/favorits")
        await press("#fault-form button")
        await tab.until(TEXT.format("said"), "favorites")  # what may have been meant
        assert emulator.faults == []

        await press("#users button[data-user='demo']")
        await tab.until("document.getElementById('token').value", emulator.token)
        await put("user", "ben")
        await tab.until(TEXT.format("users"), "No such user yet.")
        await press("#user-form button")
        await tab.until(TEXT.format("users"), "ben")
        await tab.until("document.getElementById('token').value", emulator.token_for("ben"))
        await press("#copy")
        await tab.until("document.getElementById('copy').innerText !== 'Copy'", "True")


@pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(chromium.NAMES)} is installed")
async def test_the_page_has_room_for_many_users_on_a_narrow_screen(tmp_path: Path) -> None:
    async with Emulator(itwins=3) as emulator, chromium.tab(str(PROGRAM), tmp_path) as tab:
        first = next(iter(emulator.state.itwins))
        for number in range(300):
            emulator.add_user(f"user-{number:03d}")
            emulator.favorite(f"user-{number:03d}", first)
        for query in ("?$filter=" + "x" * 300, ""):
            async with aiohttp.ClientSession() as http:
                await http.get(f"{emulator.base_url}/itwins/favorites{query}")
        emulator.fail("GET /itwins/{id}/repositories/{id}/resources/{id}", status=503, times=None)
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=360, height=740, deviceScaleFactor=1, mobile=True,
        )  # fmt: skip
        await tab.call("Page.navigate", url=f"{emulator.base_url}/")
        await tab.until(TEXT.format("users"), "251 more")
        await tab.until(TEXT.format("itwins"), "and 298 more")
        assert "user-049" not in str(await tab.value(TEXT.format("itwins")))
        every = "[...document.querySelectorAll('section, table')]"
        assert await tab.value("document.documentElement.scrollWidth") <= 360
        assert await tab.value(f"Math.max(...{every}.map((part) => part.scrollWidth))") <= 360
        await tab.value(
            "document.getElementById('user').value = '29';"
            "document.getElementById('user').dispatchEvent(new Event('input'))"
        )
        await tab.until(TEXT.format("users"), "user-299")
        assert "user-000" not in str(await tab.value(TEXT.format("users")))
