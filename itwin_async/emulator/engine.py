"""The platform without a network: one request in, one response out."""

from __future__ import annotations

import threading

import attrs

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.faults.effects import Effects
from itwin_async.emulator.faults.plan import FaultPlan, SetFault
from itwin_async.emulator.platform import errors
from itwin_async.emulator.platform.calls import Call
from itwin_async.emulator.platform.links import LinkStyle
from itwin_async.emulator.platform.served import ROUTER
from itwin_async.emulator.rate_limits import RateLimit, RateLimiter
from itwin_async.emulator.request_log import RecordedRequest, RequestLog
from itwin_async.emulator.requests import Query, Request
from itwin_async.emulator.responses import Response
from itwin_async.emulator.signin.server import SignIn, is_sign_in
from itwin_async.emulator.signin.tokens import Caller, Tokens
from itwin_async.emulator.storage import server as storage
from itwin_async.emulator.storage.signatures import is_storage
from itwin_async.emulator.world.creations import settle
from itwin_async.emulator.world.state import Snapshot, World


class OutdatedError(Exception):
    """The emulator was reset while a request waited."""


@attrs.define
class RunningRequest:
    """A request with its entry in the log, its caller (or the 401 that they get) and fault."""

    request: Request
    record: RecordedRequest
    caller: Caller | Response
    fault: SetFault | None


class Engine:
    """
    World, tokens, limits, faults and request log of one emulator, for any thread.

    Args:
        world: what it starts with.
        clock: its time.
        rate_limit: how many calls are allowed.
        style: how links are written.
        strict: whether violations are collected.
        keep: how many requests are remembered at least.
        any_token: whether an unknown token is valid, for a user of its own.
        work_seconds: seconds that long work takes.

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
        work_seconds: float = 2.0,
    ) -> None:
        self.lock = threading.RLock()
        self.world = world
        self.clock = clock
        self.work_seconds = work_seconds
        self.style = style or LinkStyle()
        self.tokens = Tokens(clock, any_token=any_token)
        self.sign_in = SignIn(self.tokens, clock)
        self.limiter = RateLimiter(rate_limit, clock)
        self.faults = FaultPlan(self.lock)
        self.log = RequestLog(keep)
        self.snapshots: dict[str, Snapshot] = {}
        self.failures: list[Exception] = []
        self.epoch = 0
        self._start = world.copy()
        self._limit = rate_limit
        self._strict = strict

    def reset(self, world: World | None = None) -> None:
        """
        Go back to the beginning.

        Args:
            world: what it begins with from now on; what it began with when None.

        """
        with self.lock:
            self.epoch += 1
            if world is not None:
                self._start = world.copy()
            self.world = self._start.copy()
            self.clock.reset()
            self.tokens.reset()
            self.sign_in.reset()
            self.limiter.reset(self._limit)
            self.faults.clear()
            self.log.clear()
            self.log.violations.clear()
            self.snapshots.clear()

    def begin(self, request: Request) -> RunningRequest:
        """Log a request and find its caller and fault; OutdatedError if a reset came between."""
        with self.lock:
            self._check(request)
            caller = self.tokens.check(request.headers.get("Authorization"), self.world)
            user = caller.user.name if isinstance(caller, Caller) else None
            record = RecordedRequest.of(request, time=self.clock.now(), user=user)
            signing_in = is_sign_in(request.path)
            if not signing_in:
                self.log.add(record)
            fault = self.faults.pick(record, signing_in=signing_in)
            if fault is not None:
                record.fault = fault.fault.describe()
            return RunningRequest(request, record, caller, fault)

    def work(self, running: RunningRequest) -> Response:
        """Return the response after a fault's effects; OutdatedError if a reset came between."""
        with self.lock:
            self._check(running.request)
            if running.fault is None:
                return self._respond(running)
            effects = Effects(running.fault.fault, running.request, running.record)
            try:
                response = effects.instead() or self._respond(running)
                response = effects.apply(response, self.style)
                effects.churn(self.world, self.clock)
            except Exception as error:  # noqa: BLE001 - a test's own function: its owner is told
                self.failures.append(error)
                return errors.UNKNOWN
            return response

    def raise_failures(self) -> None:
        """Raise what functions of faults raised, and forget it."""
        with self.lock:
            failures, self.failures = self.failures, []
        if len(failures) > 1:
            raise ExceptionGroup("functions of faults failed", failures)
        for failure in failures:
            raise failure

    def _check(self, request: Request) -> None:
        if request.epoch not in {None, self.epoch}:
            raise OutdatedError

    def _respond(self, running: RunningRequest) -> Response:
        request = running.request
        if is_sign_in(request.path):
            response = self.sign_in.respond(request, self.world)
        elif is_storage(request.path):
            self.log.count_operation(storage.operation(request))
            response = storage.respond(request, self.world, self.clock)
        else:
            response = self._platform(request, running.caller)
        if response.violation and self._strict:
            self.log.violations.append(f"{request}: {response.violation}")
        return response

    def _platform(self, request: Request, caller: Caller | Response) -> Response:
        found = ROUTER.find(request.method, request.path)
        if isinstance(found, Response):
            return found
        route, params = found
        self.log.count_operation(str(route))
        if not route.accepts(request.headers.get("Accept")):
            return errors.RESOURCE_NOT_FOUND
        if isinstance(caller, Response):
            return caller
        wait, remaining = self.limiter.take(caller.client, route.api.name)
        limits = self.limiter.headers(wait, remaining)
        if wait:
            return route.api.too_many_requests(limits)
        call = Call(
            request=request,
            params=params,
            query=Query(request.query),
            user=caller.user,
            world=self.world,
            style=self.style,
            clock=self.clock,
            work_seconds=self.work_seconds,
        )
        settle(self.world, self.clock.now())
        return route.respond(call).with_headers(limits)
