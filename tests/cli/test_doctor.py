"""``itwin-async doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from commands import CannedPlatform, Done, Terminal, run

from itwin_async.emulator import EmulatorThread, Fault

ISSUER = "https://ims.bentley.com"


def _checks(done: Done) -> dict[str, dict[str, Any]]:
    report = json.loads(done.stdout)
    found = {check["name"]: check for check in report["checks"]}
    failed = any(check["status"] == "fail" for check in report["checks"])
    assert report["ok"] is not failed
    assert done.returncode == int(failed)
    return found


def _token(**claims: object) -> str:
    claims = {"iss": ISSUER, "exp": time.time() + 3600, "scope": "itwin-platform", **claims}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.signature"


def test_all_is_well(emulator: EmulatorThread) -> None:
    itwin = next(iter(emulator.state.itwins))
    imodel = next(iter(emulator.state.imodels))
    further = {"ITWIN_ITWIN_ID": itwin, "ITWIN_IMODEL_ID": imodel, "ITWIN_ACCESS_TOKEN": _token()}
    found = _checks(run(emulator, "doctor", "--json", **further))
    assert {check["status"] for check in found.values()} == {"ok"}
    assert list(found) == [
        "token",
        "scopes",
        "proxy",
        "trust",
        "host",
        "clock",
        "access",
        "itwin",
        "imodel",
    ]
    done = run(emulator, "doctor", **further)
    assert done.returncode == 0
    assert further["ITWIN_ACCESS_TOKEN"] not in done.stdout


def test_made_up_data(emulator: EmulatorThread) -> None:
    found = _checks(run(emulator, "doctor", "--emulator", "--json"))
    assert found["access"]["status"] == "ok"
    assert found["itwin"]["status"] == "skip"


@pytest.mark.parametrize(
    ("claims", "name", "status"),
    [
        ({"exp": 1}, "token", "fail"),
        ({"exp": "soon"}, "token", "warn"),
        ({"exp": None}, "token", "ok"),
        ({"iss": "https://qa-ims.bentley.com"}, "token", "fail"),
        ({"scope": "email"}, "scopes", "fail"),
        ({"scope": ["email", "itwin-platform"]}, "scopes", "ok"),
        ({"scope": None}, "scopes", "skip"),
    ],
)
def test_what_a_token_says(
    emulator: EmulatorThread, claims: dict[str, object], name: str, status: str
) -> None:
    if claims.get("exp") == "soon":
        claims = {"exp": time.time() + 200}
    token = _token(**claims)
    done = run(emulator, "doctor", "--json", ITWIN_ACCESS_TOKEN=token)
    check = _checks(done)[name]
    assert check["status"] == status
    assert bool(check["advice"]) is (status in {"fail", "warn"})
    assert token not in done.stdout + done.stderr


def test_no_credentials_at_all(emulator: EmulatorThread) -> None:
    found = _checks(run(emulator, "doctor", "--json", ITWIN_ACCESS_TOKEN=""))
    assert found["token"]["status"] == "fail"
    assert found["host"]["status"] == "ok"  # which is told without a token
    assert found["access"]["status"] == "skip"


def test_a_token_that_is_not_accepted(emulator: EmulatorThread) -> None:
    emulator.fault(Fault(status=401, times=None))
    found = _checks(run(emulator, "doctor", "--json"))
    assert found["access"]["status"] == "fail"
    assert found["access"]["advice"]


def test_not_a_member(emulator: EmulatorThread) -> None:
    itwin, imodel = next(iter(emulator.state.itwins)), next(iter(emulator.state.imodels))
    emulator.fault(Fault(match=f"GET /itwins/{itwin}", status=404, times=None))
    further = {"ITWIN_ITWIN_ID": itwin, "ITWIN_IMODEL_ID": imodel}
    found = _checks(run(emulator, "doctor", "--json", **further))
    assert found["access"]["status"] == "ok"
    assert found["itwin"]["status"] == "fail"
    assert "member" in found["itwin"]["advice"]
    assert found["imodel"]["status"] == "warn"  # sees its permissions, and is no member


def test_nobody_answers() -> None:
    platform = CannedPlatform()
    platform.server.server_close()
    found = _checks(run(platform, "doctor", "--json"))
    assert found["host"]["status"] == "fail"
    assert found["host"]["advice"]
    assert found["clock"]["status"] == "skip"
    assert "access" not in found


@pytest.mark.parametrize(("minutes", "status"), [(0, "ok"), (2, "warn"), (-30, "fail")])
def test_the_clock(
    platform: CannedPlatform, monkeypatch: pytest.MonkeyPatch, minutes: int, status: str
) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=minutes), usegmt=True)
    monkeypatch.setattr(platform.server.RequestHandlerClass, "date_time_string", lambda _: date)
    platform.answer("GET /itwins/favorites", b'{"iTwins":[]}')
    found = _checks(run(platform, "doctor", "--json"))
    assert found["clock"]["status"] == status
    assert bool(found["clock"]["advice"]) is (status != "ok")


def test_a_proxy_is_named_without_its_password(emulator: EmulatorThread) -> None:
    proxy = {"http_proxy": "http://user:secret@proxy.example:3128", "no_proxy": "127.0.0.1"}
    done = run(emulator, "doctor", "--json", **proxy)
    check = _checks(done)["proxy"]
    assert "proxy.example:3128" in check["found"]
    assert "secret" not in done.stdout


def test_settings_that_make_no_sense(emulator: EmulatorThread) -> None:
    done = run(emulator, "doctor", "--json", "--profile", "nobody")
    assert _checks(done)["settings"]["status"] == "fail"
    done = run(emulator, "doctor", "--json", ITWIN_BASE_URL="platform.example")
    assert done.returncode == 1
    assert "lacks scheme" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("further", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_on_a_narrow_terminal(emulator: EmulatorThread, further: dict[str, str]) -> None:
    terminal = Terminal(emulator, "doctor", width=60, ITWIN_ITWIN_ID="x", **further)
    assert terminal.finish() == 1
    assert all(len(line) <= 60 for line in terminal.lines if "http" not in line)
    assert ("\x1b" in terminal.raw) is not bool(further)
