"""What a program sees of its calls: the standard library's logging, and aiohttp's traces."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from doubles import FakeClock, until
from yarl import URL

from itwin_async import ITwinError, RetryPolicy, Session, Timeout, imodels, saved_views
from itwin_async.emulator import Emulator, Fault
from itwin_async.events import AttemptFinished, Event, WaitScheduled

LIST = "GET /imodels/favorites"
ATTEMPT = re.compile(
    r"(?P<method>[A-Z]+) (?P<path>/\S+) -> (?P<status>\d{3}|no answer), attempt (?P<attempt>\d+), "
    r"(?P<bytes>\d+) bytes in \d+\.\d{3} s \[(?P<id>[0-9a-f]+-[0-9a-f]{8})\]"
)


@pytest.fixture
async def platform() -> AsyncIterator[Emulator]:
    async with Emulator(itwins=1, imodels=25) as emulator:
        yield emulator


def itwin_id(emulator: Emulator) -> str:
    return next(iter(emulator.state.itwins))


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Give what the package wrote at one level."""
    records = [record for record in caplog.records if record.name.startswith("itwin_async")]
    assert {record.levelno for record in records} <= {logging.DEBUG, logging.INFO, logging.ERROR}
    return [record.getMessage() for record in records if record.levelno == level]


async def test_every_attempt_is_one_debug_line(
    platform: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "itwin_async")
    platform.fail(LIST, status=503, times=1)
    platform.fault(Fault(match=LIST, after=2, drop="before", times=1))
    retry = RetryPolicy(base=0)
    async with Session(platform.token, base_url=platform.base_url, retry=retry) as session:
        rows = imodels.list_favorites(session, itwin_id(platform), page_size=10)
        assert len(await rows.collect()) == 25
        found = [
            match.groupdict()
            for match in map(ATTEMPT.fullmatch, lines(caplog, logging.DEBUG))
            if match
        ]
    assert len(found) == len(lines(caplog, logging.DEBUG)) == platform.request_count == 5
    assert {(one["method"], one["path"]) for one in found} == {("GET", "/imodels/favorites")}
    assert sorted(one["status"] for one in found) == ["200", "200", "200", "503", "no answer"]
    assert [one["attempt"] for one in found if one["id"] == found[0]["id"]] == ["1", "2"]
    assert len({one["id"] for one in found}) == 3
    assert all((int(one["bytes"]) > 0) == (one["status"] == "200") for one in found)
    # The id is what the platform was told.
    sent = {request.headers["X-Correlation-Id"] for request in platform.requests}
    assert {one["id"] for one in found} == sent


@pytest.mark.parametrize("observed", [False, True])
async def test_an_attempt_that_is_cancelled_has_its_line_too(
    platform: Emulator, caplog: pytest.LogCaptureFixture, observed: bool
) -> None:
    """An observer that raises then does not hide the cancellation."""
    caplog.set_level(logging.DEBUG, "itwin_async")
    platform.fault(Fault(match=LIST, latency=0.3))
    events: list[Event] = []

    def observe(event: Event) -> None:
        events.append(event)
        raise RuntimeError("an observer's own mistake")

    async with Session(
        platform.token, base_url=platform.base_url, observers=[observe] if observed else []
    ) as session:
        task = asyncio.ensure_future(imodels.list_favorites(session, itwin_id(platform)).first())
        await until(lambda: platform.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (line,) = lines(caplog, logging.DEBUG)
    assert re.fullmatch(
        r"GET /imodels/favorites -> cancelled, attempt 1, 0 bytes in \d+\.\d{3} s \[\S+\]", line
    )
    assert [(type(event), event.attempt) for event in events] == [(AttemptFinished, 1)] * observed
    assert all(isinstance(event, AttemptFinished) and event.cancelled for event in events)


async def test_every_wait_is_one_info_line(
    platform: Emulator, caplog: pytest.LogCaptureFixture, clock: FakeClock
) -> None:
    caplog.set_level(logging.INFO, "itwin_async")
    platform.fail(LIST, status=503, retry_after=3, times=1)
    platform.fail(LIST, status=429, retry_after=7, times=1, after=1)
    platform.fault(Fault(match=LIST, after=2, drop="middle", times=1))
    retry = RetryPolicy(clock=clock, sleep=clock.sleep, rng=lambda: 0.5)
    async with Session(platform.token, base_url=platform.base_url, retry=retry) as session:
        await imodels.list_favorites(session, itwin_id(platform)).collect()
    assert lines(caplog, logging.DEBUG) == []
    first, hold, second, third = lines(caplog, logging.INFO)
    assert re.match(r"all calls wait 7\.\d\d s, until \d{4}-\d\d-\d\dT[0-9:]{8}Z, ", hold)
    assert re.match(
        r"GET /imodels/favorites failed \(503\), attempt 1; trying again in 3\.\d\d s \[", first
    )
    assert re.match(
        r"GET /imodels/favorites failed \(429\), attempt 2; trying again in 7\.\d\d s \[", second
    )
    assert re.match(r"GET /imodels/favorites failed \(the answer broke off.*\), attempt 3; ", third)
    assert len(clock.sleeps) >= 3


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
async def test_a_call_that_goes_well_is_no_news(
    platform: Emulator, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level, "itwin_async")
    async with Session(platform.token, base_url=platform.base_url) as session:
        await imodels.list_favorites(session, itwin_id(platform)).collect()
        with pytest.raises(ITwinError):
            await saved_views.get_tag(session, "unknown")
    assert lines(caplog, logging.INFO) == []


async def test_observers_and_the_log_tell_the_same(
    platform: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "itwin_async")
    events: list[Event] = []
    platform.fail(LIST, status=500, times=2)
    async with Session(
        platform.token,
        base_url=platform.base_url,
        observers=[events.append],
        retry=RetryPolicy(base=0),
    ) as session:
        await imodels.list_favorites(session, itwin_id(platform))
    kinds = [AttemptFinished, WaitScheduled, AttemptFinished, WaitScheduled, AttemptFinished]
    assert [type(event) for event in events] == kinds
    told = [(type(event), event.attempt, event.request_id) for event in events]
    logged = [
        (
            WaitScheduled if record.levelno == logging.INFO else AttemptFinished,
            int(re.findall(r"attempt (\d+)", record.getMessage())[0]),
            re.findall(r"\[(\S+)\]", record.getMessage())[0],
        )
        for record in caplog.records
        if record.name == "itwin_async"
    ]
    assert logged == told


SECRETS = {
    "query": "sig-QUERY-SECRET",
    "body": "BODY-SECRET",
    "answer": "ANSWER-SECRET",
    "location": "sig-LOCATION-SECRET",
    "header": "HEADER-SECRET",
}


async def test_no_token_body_or_signed_address_is_logged(
    platform: Emulator, caplog: pytest.LogCaptureFixture, clock: FakeClock
) -> None:
    """Of the whole process, aiohttp's and asyncio's own loggers included."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    location = f"https://blobs.example/x?sig={SECRETS['location']}"
    bodies = f'{{"error": {{"code": "X", "message": "{SECRETS["answer"]} {location}"}}}}'
    faults: list[Fault] = [
        Fault(match="*", status=302, body=bodies, headers={"Location": location}),
        Fault(match="*", status=429, body=bodies, retry_after=1),
        Fault(match="*", status=503, body=bodies),
        Fault(match="*", status=400, body=bodies),
        Fault(match="*", drop="before"),
        Fault(match="*", drop="middle"),
        Fault(match="*", latency=0.4),
    ]
    retry = RetryPolicy(clock=clock, sleep=clock.sleep)
    tokens = [platform.token_for(f"user{number}") for number in range(3)]
    async with Session(
        tokens[0], base_url=platform.base_url, retry=retry, timeout=Timeout(attempt=0.1)
    ) as session:
        for token in tokens:
            view = session.with_token(token)
            for fault in faults:
                platform.clear_faults()
                platform.fault(fault)
                for method in ("GET", "POST", "PUT"):
                    try:
                        await view.request(
                            method,
                            "/savedviews/tags",
                            params={"sig": SECRETS["query"]},
                            json={"displayName": SECRETS["body"]},
                            headers={"X-Key": SECRETS["header"]},
                        )
                    except ITwinError as error:
                        logging.getLogger("application").warning("%s", error)  # its own affair
    written = [record for record in caplog.records if record.name != "application"]
    assert len([record for record in written if record.name == "itwin_async"]) > 60
    text = "\n".join(f"{record.getMessage()} {vars(record)}" for record in written)
    hidden = [*tokens, *SECRETS.values(), "blobs.example", "?"]
    ours = "\n".join(record.getMessage() for record in written if record.name == "itwin_async")
    assert [secret for secret in hidden if secret in ours] == []
    assert [secret for secret in [*tokens, *SECRETS.values()] if secret in text] == []


def test_importing_configures_no_logging() -> None:
    code = (
        "import logging, itwin_async, itwin_async.imodels; log = logging.getLogger('itwin_async');"
        "assert log.level == logging.NOTSET and log.propagate;"
        "assert not logging.root.handlers and logging.root.level == logging.WARNING;"
        "assert all(isinstance(it, logging.NullHandler) for it in log.handlers)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=False)
    assert done.returncode == 0


def without_query(url: URL) -> str:
    # Continuation tokens and signatures stand in queries.
    return str(url.with_query(None))


async def traced(
    emulator: Emulator,
    work: Callable[[Session], Awaitable[object]],
    hook: Any = None,
    **settings: Any,
) -> list[Any]:
    """Run something in a session with OpenTelemetry's instrumentation, and read the spans."""
    from opentelemetry.instrumentation import aiohttp_client as instrumentation
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import (
        InMemorySpanExporter,
    )

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    config = instrumentation.create_trace_config(
        url_filter=without_query, request_hook=hook, tracer_provider=provider
    )
    async with Session(
        emulator.token, base_url=emulator.base_url, trace_configs=[config], **settings
    ) as session:
        with provider.get_tracer("test").start_as_current_span("work"):
            await work(session)
    provider.shutdown()
    return list(exporter.get_finished_spans())


async def test_every_attempt_is_a_span_below_the_callers(platform: Emulator) -> None:
    platform.fail(LIST, status=503, times=1, after=1)
    platform.fault(Fault(match=LIST, after=2, drop="before", times=1))

    async def work(session: Session) -> None:
        pager = imodels.list_favorites(session, itwin_id(platform), page_size=10)
        assert len(await pager.collect()) == 25

    *spans, root = await traced(platform, work, retry=RetryPolicy(base=0))
    assert root.name == "work"
    assert len(spans) == platform.request_count == 5
    # Also of the pages that are requested ahead, in tasks of their own.
    assert {span.parent.span_id for span in spans} == {root.context.span_id}
    assert {span.attributes["http.method"] for span in spans} == {"GET"}
    address = f"{platform.base_url}/imodels/favorites"
    assert {span.attributes["http.url"] for span in spans} == {address}
    codes = [span.attributes.get("http.status_code") for span in spans]
    assert codes == [200, 503, None, 200, 200]
    failed = [span.status.status_code.name == "ERROR" for span in spans]
    assert failed == [False, True, True, False, False]
    # The platform is told which span its answer belongs to.
    parents = [request.headers["traceparent"].split("-")[2] for request in platform.requests]
    assert parents == [f"{span.context.span_id:016x}" for span in spans]


async def test_spans_hold_no_secret(platform: Emulator) -> None:
    token = platform.token
    platform.fault(Fault(match=LIST, drop="middle", times=None, every=3))
    platform.fault(Fault(match=LIST, status=401, times=None, every=2))

    async def work(session: Session) -> None:
        for _ in range(6):
            with contextlib.suppress(ITwinError):
                await imodels.list_favorites(session, itwin_id(platform), page_size=10).collect()
            with contextlib.suppress(ITwinError):
                await session.request("POST", "/x", params={"sig": "SIGNATURE"}, json={"a": "BODY"})

    spans = await traced(platform, work, retry=RetryPolicy(base=0))
    assert len(spans) > 12
    text = "".join(f"{span.to_json()} {span!r}" for span in spans)
    assert "/imodels/favorites" in text
    for secret in (token, "SIGNATURE", "BODY", "continuationToken"):
        assert secret not in text


async def test_waits_and_retries_are_events_of_the_callers_span(
    platform: Emulator, clock: FakeClock
) -> None:
    pytest.importorskip("opentelemetry.instrumentation.aiohttp_client")
    from itwin_async.opentelemetry import mark_request, record_event

    platform.fail(LIST, status=503, retry_after=3, times=1)
    platform.fail(LIST, status=429, retry_after=7, times=1, after=1)

    async def work(session: Session) -> None:
        await imodels.list_favorites(session, itwin_id(platform))

    policy = RetryPolicy(clock=clock, sleep=clock.sleep, now=clock, rng=lambda: 0.0)
    *attempts, root = await traced(
        platform, work, retry=policy, observers=[record_event], hook=mark_request
    )
    assert len(attempts) == 3
    noted = [(event.name, dict(event.attributes)) for event in root.events]
    assert [name for name, _ in noted] == ["itwin.retry", "itwin.hold", "itwin.retry", "itwin.wait"]
    assert [about["itwin.seconds"] for _, about in noted] == pytest.approx([3, 7, 7, 7], abs=0.1)
    retries = [about for name, about in noted if name == "itwin.retry"]
    assert [(it["itwin.attempt"], it["itwin.reason"]) for it in retries] == [(1, "503"), (2, "429")]
    wait = noted[-1][1]
    assert (wait["itwin.reason"], wait["itwin.attempt"]) == ("hold", 3)
    assert wait["itwin.held_until"] == noted[1][1]["itwin.held_until"]
    (request_id,) = {about["itwin.request_id"] for _, about in noted}
    assert {span.attributes["itwin.request_id"] for span in attempts} == {request_id}
    assert platform.token not in "".join(span.to_json() for span in [*attempts, root])


async def test_without_a_span_nothing_is_noted(platform: Emulator) -> None:
    pytest.importorskip("opentelemetry")
    from itwin_async.opentelemetry import record_event

    platform.fail(LIST, status=503, times=1)
    async with Session(
        platform.token,
        base_url=platform.base_url,
        retry=RetryPolicy(base=0),
        observers=[record_event],
    ) as session:
        await imodels.list_favorites(session, itwin_id(platform))
    assert platform.request_count == 2
