from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import chromium
import pytest
from aiohttp import web
from doubles import until
from npm_packages import NpmError, install

from itwin_async.emulator import Emulator

HERE = Path(__file__).parent
PROGRAM = chromium.find()
NAMES = "`[${{[...document.querySelectorAll('#{} {}')].map((one) => one.innerText).join('|')}}]`"
TILE = "[data-testid^=iTwin-tile-]:is(button, a)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason=f"none of {', '.join(chromium.NAMES)} is installed"),
]


@pytest.fixture(scope="session")
def page() -> Path:
    """The page with the grids, built once for each change of its sources."""
    try:
        installed = install(HERE)
    except NpmError as error:
        pytest.skip(f"the page with the grids cannot be built: {error}")
    for name in ("index.html", "main.js"):
        shutil.copy(HERE / name, installed)
    vite = [str(installed / "node_modules/.bin/vite"), "build", "--logLevel", "error"]
    done = subprocess.run(
        vite, cwd=installed, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return installed / "dist"


@pytest.fixture
async def page_url(page: Path) -> AsyncIterator[str]:
    """The page's address: another origin than the emulator's."""
    app = web.Application()
    app.router.add_static("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/index.html"
    await runner.cleanup()


async def test_the_platforms_grids_list_favorites_and_recents(
    page_url: str, tmp_path: Path
) -> None:
    async with (
        Emulator(itwins=8, imodels=4, favorites=3) as emulator,
        chromium.tab(str(PROGRAM), tmp_path) as tab,
    ):
        emulator.add_client("page", redirect_uris=[page_url])
        world, itwin_id = emulator.state, next(iter(emulator.state.itwins))
        quay = emulator.add_imodel(itwin_id, "Quay & <Dock>", description="as built")
        emulator.recent("demo", quay, list(world.itwins)[4])

        await tab.call(
            "Page.navigate", url=f"{page_url}?emulator={emulator.base_url}&itwin={itwin_id}"
        )
        await tab.until("document.getElementById('state')?.innerText", "signed in as demo")

        async def shows(section: str, selector: str, wanted: list[str]) -> None:
            await tab.until(NAMES.format(section, selector), f"[{'|'.join(wanted)}]")

        favorites = [world.itwins[one].display_name for one in world.favorites["demo"].itwins]
        recents = [world.itwins[one].display_name for one in world.recents["demo"].itwins]
        projects = [row.display_name for row in world.itwins.values() if row.sub_class == "Project"]
        models = [row.name for row in world.imodels_of(itwin_id)]
        recent_models = [row.name for row in world.imodels_of(itwin_id)[:3]]
        favorite_models = [row.name for row in world.favorites_of("demo", itwin_id)]
        await shows("itwin-favorites", TILE, favorites)
        await shows("itwin-recents", TILE, recents)
        await shows("itwins", TILE, sorted(projects, key=str.lower, reverse=True))
        await shows("imodels", "[role=row] [role=cell]:first-child", sorted(models))
        tile = "[data-testid$=-name-label]"
        await shows("imodel-favorites", tile, sorted(favorite_models))
        await shows("imodel-recents", tile, sorted([quay.name, *recent_models]))
        emulator.assert_called("GET /itwins/favorites", query={"subClass": ""}, user="demo")
        emulator.assert_called("GET /itwins", query={"$orderby": "displayName desc"})

        unmark = "#itwin-favorites [aria-label='Remove from favorites']"
        await tab.value(f"document.querySelector({json.dumps(unmark)}).click()")
        await until(lambda: len(emulator.state.favorites["demo"].itwins) == len(favorites) - 1)

        emulator.fail("GET /itwins/recents", status=503, times=None)
        await tab.call("Page.navigate", url=page_url)
        await tab.until("document.getElementById('itwin-recents')?.innerText", "An error occurred")
        await shows("itwin-favorites", TILE, favorites[1:])

    assert [request.grant for request in emulator.token_requests] == [
        "authorization_code",
        "refresh_token",
    ] * 2
    assert tab.seen("Runtime.exceptionThrown") == []
    logged = [event["entry"]["text"] for event in tab.seen("Log.entryAdded")]
    assert not [text for text in logged if "CORS" in text]
