"""Make the pictures of the documentation anew: ``python docs/pictures.py``; needs Chromium."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "support")]

import chromium  # noqa: E402 - of the tests
from PIL import Image  # noqa: E402 - of matplotlib
from rich.console import Console  # noqa: E402
from rich.text import Text  # noqa: E402

from itwin_async import Session, harvest, imodels, itwins  # noqa: E402
from itwin_async.emulator import Emulator  # noqa: E402

_NOON = 1777982400.0  # seconds since 1970
_SHOWN = (
    "itwin-async favorites itwins --limit 4",
    "itwin-async favorites imodels --limit 4 --ndjson | cut -c 1-92",
    "itwin-async harvest status favorites.db",
)


async def main() -> None:
    """Draw them all into the folder ``pictures``."""
    program = chromium.find()
    if program is None:
        sys.exit(f"none of {', '.join(chromium.NAMES)} is installed")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        async with Emulator(seed=0) as emulator:
            async with Session(emulator.token, base_url=emulator.base_url) as session:
                source = harvest.favorite_imodels().full()
                await harvest.run(session, source, work / "favorites.db")
            await asyncio.to_thread(_terminal, emulator, work)
        os.chdir(work)  # the title of the map has the name as it was given
        harvest.draw_map("favorites.db", "map.png")
        async with chromium.tab(program, work / "profile") as tab:
            await _emulator_page(tab)
            for name, width, height in (("map.png", 1000, 550), ("terminal.svg", 1000, 398)):
                page = f"<body style='margin:0'><img src='{name}' width={width}>"
                (work / "page.html").write_text(page, encoding="utf-8")
                await _shoot(tab, f"file://{work}/page.html", Path(name).stem, width, height)


async def _emulator_page(tab: chromium.Tab) -> None:
    async with (
        Emulator(seed=0) as emulator,
        Session(emulator.token, base_url=emulator.base_url) as session,
    ):
        emulator.clock.set(_NOON)
        emulator.clock.freeze()
        emulator.fail("GET /imodels/favorites", status=429, retry_after=0.01, times=2)
        emulator.fail("GET /itwins/{id}", status=403, user="ben", times=None)
        itwin_id = next(iter(emulator.state.itwins))
        for name in ("ana", "ben"):
            emulator.favorite(name, itwin_id)
        await itwins.list_favorites(session, sub_class="Asset").collect()
        found = await imodels.list_favorites(session, itwin_id).collect()
        await imodels.remove_favorite(session, found[0].id)
        emulator.clock.advance(2)
        click = "document.querySelector('#users button').click()"
        await _shoot(tab, f"{emulator.base_url}/", "emulator", 1300, 960, until="403", last=click)


def _terminal(emulator: Emulator, work: Path) -> None:
    console = Console(record=True, width=110, file=(work / "nothing").open("w"))
    variables = {
        **os.environ,
        "ITWIN_BASE_URL": emulator.base_url,
        "ITWIN_ACCESS_TOKEN": emulator.token,
        "PYTHONPATH": str(HERE.parent),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    for command in _SHOWN:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        done = subprocess.run(  # noqa: S603 - commands of this file
            ["bash", "-c", command],  # noqa: S607
            cwd=work,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        )
        console.print(Text(done.stdout))
    console.save_svg(str(work / "terminal.svg"), title="itwin-async")


async def _shoot(
    tab: chromium.Tab,
    url: str,
    name: str,
    width: int,
    height: int,
    until: str = "",
    last: str = "0",
) -> None:
    await tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )
    await tab.call("Emulation.setScrollbarsHidden", hidden=True)
    await tab.call("Page.navigate", url=url)
    await tab.until("document.readyState", "complete")
    await tab.until("document.body.innerText", until)
    await tab.value(last)
    await asyncio.sleep(0.5)  # what the last click asked for
    picture = await tab.call("Page.captureScreenshot", format="png")
    whole = Image.open(io.BytesIO(base64.b64decode(picture["data"]))).convert("RGB")
    PICTURES.mkdir(exist_ok=True)
    whole.quantize(64).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
