"""The controls of an emulator, for tests in any thread."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.control.signin import SignInControls
from itwin_async.emulator.control.world import WorldControls
from itwin_async.emulator.control.world_file import export_world, load_world
from itwin_async.emulator.faults.plan import Fault, SetFault
from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.request_log import RecordedRequest, Wanted, times_in_words
from itwin_async.emulator.world.records import UserRecord
from itwin_async.emulator.world.state import World


class Snapshot:
    """A world at a moment."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def world(self) -> World:
        """An independent copy of the world."""
        return self._world.copy()


class EmulatorControls(WorldControls, SignInControls):
    """World, tokens, faults, time and request log of an emulator."""

    @property
    def token(self) -> str:
        """A token of the demo user, who has favorites and recents in a generated world."""
        return self._engine.tokens.demo_token

    def token_for(self, user: str | UserRecord, *, fresh: bool = False) -> str:
        """
        Return a token of a user, who is added if new and may see every iTwin.

        Args:
            user: the name of the user.
            fresh: whether it is another token than before.

        """
        with self._engine.lock:
            return self._engine.tokens.token_for(self._user(user), fresh=fresh)

    def expire(self, token: str) -> None:
        """Make a token invalid from now on."""
        with self._engine.lock:
            self._engine.tokens.expire(token)

    def expire_tokens_after(self, calls: int | None) -> None:
        """Make every token invalid after so many more calls; `None` removes the limit."""
        with self._engine.lock:
            self._engine.tokens.limit_calls(calls)

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's time, for rate limits and the expiry of tokens."""
        return self._engine.clock

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many calls are allowed; setting it restarts the count."""
        return self._engine.limiter.limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        with self._engine.lock:
            self._engine.limiter.reset(limit)

    def fail(
        self,
        match: str,
        *,
        status: int,
        retry_after: float | str | None = None,
        times: int | None = 1,
        after: int = 0,
        body: bytes | str | JsonObject | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> SetFault:
        """
        Respond to requests with an error.

        Args:
            match: the requests, as `GET /imodels/favorites`; see `Fault`.
            status: the HTTP status.
            retry_after: value of the header `retry-after`.
            times: how often; forever when None.
            after: how many matching requests pass before.
            body: the body; the platform's own for that status when None.
            headers: further headers.

        """
        fault = Fault(
            match=match,
            status=status,
            retry_after=retry_after,
            times=times,
            after=after,
            body=body,
            headers=headers or {},
        )
        return self.fault(fault)

    def fault(self, fault: Fault) -> SetFault:
        """Set a fault, and return its entry, whose `applied` says how often it applied."""
        with self._engine.lock:
            return self._engine.faults.add(fault)

    @property
    def faults(self) -> list[SetFault]:
        """The faults that are set, including those that will not apply again."""
        return list(self._engine.faults.entries)

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._engine.lock:
            self._engine.faults.entries.clear()

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests to the platform, the oldest first."""
        return self._engine.log.requests

    @property
    def request_count(self) -> int:
        """How many requests came in all; of very many, `requests` has only the last."""
        return self._engine.log.count

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each operation was called, as `GET /imodels/favorites`."""
        return self._engine.log.counts

    def clear_requests(self) -> None:
        """Forget all requests."""
        with self._engine.lock:
            self._engine.log.clear()

    @property
    def violations(self) -> list[str]:
        """In strict mode: requests that the platform would refuse from anybody."""
        return self._engine.log.violations

    def calls(
        self, match: str, *, query: Mapping[str, str] | None = None, user: str | None = None
    ) -> list[RecordedRequest]:
        """
        Return the requests that match.

        Args:
            match: method and path, as `GET /imodels/favorites`.
            query: parameters that were sent, with their values.
            user: the name of the user.

        """
        with self._engine.lock:
            return Wanted(match, query or {}, user).among(self._engine.log.requests)

    def assert_called(
        self,
        match: str,
        *,
        times: int | None = None,
        query: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> list[RecordedRequest]:
        """
        Fail unless an operation was called, and return the requests.

        Args:
            match: method and path, as `PUT /imodels/favorites/{id}`.
            times: how often exactly; at least once when None.
            query: parameters that were sent, with their values.
            user: the name of the user.

        Raises:
            AssertionError: it was not; the message lists what was called instead.

        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        found = self.calls(match, query=query, user=user)
        if (times is None and not found) or (times is not None and len(found) != times):
            expected = "at least once" if times is None else times_in_words(times)
            wanted = Wanted(match, query or {}, user)
            raise AssertionError(wanted.explain(self._engine.log.requests, expected))
        return found

    def assert_not_called(self, match: str) -> None:
        """Fail if an operation was called."""
        __tracebackhide__ = True
        self.assert_called(match, times=0)

    def reset(self, world: World | None = None) -> None:
        """
        Reset world, clock, rate limit and tokens, and remove faults and requests.

        Args:
            world: what it begins with from now on; what it began with when None.

        """
        self._engine.reset(world)

    def snapshot(self) -> Snapshot:
        """Return the present world, for `restore`."""
        with self._engine.lock:
            return Snapshot(self._engine.world.copy())

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a world."""
        with self._engine.lock:
            self._engine.world = snapshot.world

    def load(self, world: str | os.PathLike[str] | Mapping[str, object]) -> None:
        """
        Add to the world the content of a file or mapping.

        Args:
            world: the name of a JSON file, or its content.

        Raises:
            ValueError: a value is wrong; the message says where. The world is unchanged then.

        """
        content: object = world
        if isinstance(world, (str, os.PathLike)):
            content = json.loads(Path(world).read_text(encoding="utf-8"))
        with self._engine.lock:
            before = self._engine.world.copy()
            try:
                load_world(self._engine.world, self._engine.clock, content)
            except BaseException:
                self._engine.world = before
                raise

    def openapi(self) -> JsonObject:
        """Return an OpenAPI 3.0.3 document of all operations."""
        return openapi()

    def export(self) -> JsonObject:
        """Return the world as JSON that `load` takes."""
        with self._engine.lock:
            return export_world(self._engine.world)
