"""The platform itself: one request in, one answer out, without a network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import attrs

from itwin_async.emulator.faults.effects import Effects
from itwin_async.emulator.faults.plan import FaultBook, SetFault
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.paging import LinkStyle
from itwin_async.emulator.platform.routes import accepts, find_route
from itwin_async.emulator.rate_limits import Limiter, RateLimit
from itwin_async.emulator.request_log import RecordedRequest, scrub
from itwin_async.emulator.requests import Query
from itwin_async.emulator.responses import Answer
from itwin_async.emulator.signin.server import SignIn, is_sign_in
from itwin_async.emulator.signin.tokens import Access, Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from itwin_async.emulator.clock import EmulatorClock
    from itwin_async.emulator.requests import Request
    from itwin_async.emulator.world.state import World


class OutdatedError(Exception):
    """The emulator was reset while a request waited; what it wanted is of a world that is gone."""


class Engine:
    """
    World, tokens, limits, faults and evidence of one emulator. Its methods may be called from any
    thread.

    Args:
        world: what it starts with.
        clock: its time.
        rate_limit: how many calls are allowed.
        style: how links are written.
        strict: whether requests that the platform would refuse are collected.
        keep: how many requests are remembered at least.
        any_token: whether a token that nobody made is good, for a user of its own.

    """

    def __init__(
        self,
        world: World,
        clock: EmulatorClock,
        *,
        rate_limit: RateLimit | None = None,
        style: LinkStyle | None = None,
        strict: bool = False,
        keep: int = 50_000,
        any_token: bool = True,
    ) -> None:
        self.lock = threading.RLock()
        self.world = world
        self.clock = clock
        self.style = style or LinkStyle()
        self.strict = strict
        self.access = Access(clock, any_token=any_token)
        self.sign_in = SignIn(self.access, clock)
        self.limiter = Limiter(rate_limit, clock)
        self.faults = FaultBook()
        self.requests: list[RecordedRequest] = []
        self.request_count = 0
        self.counts: dict[str, int] = {}
        self.violations: list[str] = []
        self.epoch = 0
        self._start = world.copy()
        self._limit = rate_limit
        self._keep = keep

    def reset(self, world: World | None = None) -> None:
        """
        Go back to the beginning.

        Args:
            world: what it shall begin with from now on; what it began with when absent.

        """
        with self.lock:
            self.epoch += 1
            if world is not None:
                self._start = world.copy()
            self.world = self._start.copy()
            self.clock.reset()
            self.access.reset()
            self.limiter.limit = self._limit
            self.sign_in.reset()
            self.limiter.reset()
            self.faults.clear()
            self.requests.clear()
            self.request_count = 0
            self.counts.clear()
            self.violations.clear()

    def begin(self, request: Request) -> tuple[RecordedRequest, SetFault | None, Caller | Answer]:
        """
        Write a request down, find out who calls and which fault applies.

        Raises:
            OutdatedError: the emulator was reset since the request came.

        """
        with self.lock:
            self._check(request)
            caller = self.access.check(request.headers.get("Authorization"), self.world)
            user = caller.user.name if isinstance(caller, Caller) else None
            record = RecordedRequest(
                method=request.method,
                path=request.path,
                query=request.query,
                headers=scrub(request.headers),
                time=self.clock.now(),
                user=user,
                body=request.body,
            )
            signing_in = is_sign_in(request.path)
            if not signing_in:
                self._remember(record)
            fault = self.faults.pick(request.method, request.path, user, signing_in=signing_in)
            if fault is not None:
                record.fault = fault.fault.describe()
            return record, fault, caller

    def work(self, request: Request, caller: Caller | Answer, entry: SetFault | None) -> Answer:
        """
        Return what the platform answers, and what a fault makes of it.

        Raises:
            OutdatedError: the emulator was reset since the request came.

        """
        with self.lock:
            self._check(request)
            user = caller.user.name if isinstance(caller, Caller) else None
            effects = None if entry is None else Effects(entry.fault, request, user)
            answer = None if effects is None else effects.instead()
            if answer is None:
                answer = self._answer(request, caller)
            if effects is not None:
                answer = effects.apply(answer, self.style)
                effects.churn(self.world, self.clock)
            return answer

    def _check(self, request: Request) -> None:
        if request.epoch not in {None, self.epoch}:
            raise OutdatedError

    def _remember(self, record: RecordedRequest) -> None:
        if len(self.requests) >= 2 * self._keep:
            del self.requests[: self._keep]
        self.requests.append(record)
        self.request_count += 1

    def _answer(self, request: Request, caller: Caller | Answer) -> Answer:
        if is_sign_in(request.path):
            answer = self.sign_in.answer(request, self.world)
        else:
            answer = self._platform(request, caller)
        if answer.refused and self.strict:
            query = f"?{request.query}" if request.query else ""
            self.violations.append(f"{request.method} {request.path}{query}: {answer.refused}")
        return answer

    def _platform(self, request: Request, caller: Caller | Answer) -> Answer:
        found = find_route(request.method, request.path)
        if found is None:
            return errors.resource_not_found()
        route, params = found
        operation = f"{route.method} {route.pattern}"
        self.counts[operation] = self.counts.get(operation, 0) + 1
        if not accepts(request.headers.get("Accept"), route):
            return errors.resource_not_found()
        if isinstance(caller, Answer):
            return caller
        wait, remaining = self.limiter.take(caller.client, route.api)
        limits = self.limiter.headers(wait, remaining)
        if wait:
            return errors.too_many_requests(request.path, limits)
        call = Call(
            method=request.method,
            path=request.path,
            params=params,
            query=Query(request.query),
            headers=request.headers,
            full=_prefers_full(request.headers),
            body=request.body,
            user=caller.user,
            origin=request.origin,
            world=self.world,
            style=self.style,
            clock=self.clock,
        )
        answer = route.handler(call)
        if limits:
            answer = attrs.evolve(answer, headers={**answer.headers, **limits})
        return answer


def _prefers_full(headers: Mapping[str, str]) -> bool:
    wishes = headers.get("Prefer", "").lower().replace(" ", "").split(",")
    return "return=representation" in wishes
