"""What a test can do with an emulator, from any thread."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from itwin_async.emulator.control.signin import SignInControls
from itwin_async.emulator.control.world import WorldBuilding
from itwin_async.emulator.control.world_file import export_world, load_world
from itwin_async.emulator.faults.plan import Fault
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.request_log import Wanted, explain, times_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from itwin_async.emulator.clock import EmulatorClock
    from itwin_async.emulator.faults.plan import SetFault
    from itwin_async.emulator.json_types import JsonObject
    from itwin_async.emulator.rate_limits import RateLimit
    from itwin_async.emulator.request_log import RecordedRequest
    from itwin_async.emulator.world.records import UserRecord
    from itwin_async.emulator.world.state import World


class Snapshot:
    """
    A world as it was at a moment.

    Args:
        world: a copy that nobody else has.

    """

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def world(self) -> World:
        """A copy that changes on its own."""
        return self._world.copy()


class EmulatorControls(WorldBuilding, SignInControls):
    """World, tokens, faults, time and evidence of an emulator."""

    @property
    def token(self) -> str:
        """A token of the demo user, who has favorites and recents in a generated world."""
        return self._engine.access.demo_token

    def token_for(self, user: str | UserRecord, *, fresh: bool = False) -> str:
        """
        Return a token of a user, who is made known if new and may see every iTwin.

        Args:
            user: the name of the user.
            fresh: whether it shall be another token than before.

        """
        with self._engine.lock:
            return self._engine.access.token_for(self._user(user), fresh=fresh)

    def expire(self, token: str) -> None:
        """Answer 401 to this token from now on."""
        with self._engine.lock:
            self._engine.access.expire(token)

    def expire_tokens_after(self, calls: int | None) -> None:
        """Let every token be good for so many more calls and no more; `None` takes it back."""
        with self._engine.lock:
            self._engine.access.limit_calls(calls)

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's time: rate windows and the expiry of tokens follow it."""
        return self._engine.clock

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many calls are allowed; setting it starts the count anew."""
        return self._engine.limiter.limit

    @rate_limit.setter
    def rate_limit(self, limit: RateLimit | None) -> None:
        with self._engine.lock:
            self._engine.limiter.limit = limit
            self._engine.limiter.reset()

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
        Answer requests with an error.

        Args:
            match: which ones, as `GET /imodels/favorites`; see `Fault`.
            status: the HTTP status.
            retry_after: value of the header `retry-after`.
            times: how often; for ever when `None`.
            after: how many matching requests pass before.
            body: the body; the platform's own words for that status when absent.
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
        """
        Set a fault.

        Returns:
            The fault as it was set; its `applied` says how often it applied.

        """
        with self._engine.lock:
            return self._engine.faults.add(fault)

    @property
    def faults(self) -> list[SetFault]:
        """The faults that are set, the used up ones too."""
        return list(self._engine.faults.entries)

    def clear_faults(self) -> None:
        """Take all faults back."""
        with self._engine.lock:
            self._engine.faults.clear()

    @property
    def requests(self) -> list[RecordedRequest]:
        """What was asked of the platform, the oldest first."""
        return self._engine.requests

    @property
    def request_count(self) -> int:
        """How many requests came in all; `requests` forgets the oldest of very many."""
        return self._engine.request_count

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each operation was called, as `GET /imodels/favorites`."""
        return self._engine.counts

    def clear_requests(self) -> None:
        """Forget what was asked."""
        with self._engine.lock:
            self._engine.requests.clear()
            self._engine.counts.clear()
            self._engine.request_count = 0

    @property
    def violations(self) -> list[str]:
        """In strict mode: requests that the platform would have refused from anybody."""
        return self._engine.violations

    def calls(
        self, match: str, *, query: Mapping[str, str] | None = None, user: str | None = None
    ) -> list[RecordedRequest]:
        """
        Return the requests that a match such as `GET /imodels/favorites` means.

        Args:
            match: method and path.
            query: parameters that were sent, with their values.
            user: the name of the user that called.

        """
        with self._engine.lock:
            return Wanted(match, query or {}, user).among(self._engine.requests)

    def assert_called(
        self,
        match: str,
        *,
        times: int | None = None,
        query: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> list[RecordedRequest]:
        """
        Fail unless something was called.

        Args:
            match: what, as `PUT /imodels/favorites/{id}`.
            times: how often exactly; at least once when absent.
            query: parameters that were sent, with their values.
            user: the name of the user that called.

        Returns:
            The requests.

        Raises:
            AssertionError: it was not; the message lists what was called instead.

        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        found = self.calls(match, query=query, user=user)
        if (times is None and not found) or (times is not None and len(found) != times):
            expected = "at least once" if times is None else times_in_words(times)
            wanted = Wanted(match, query or {}, user)
            raise AssertionError(explain(self._engine.requests, wanted, expected))
        return found

    def assert_not_called(self, match: str) -> None:
        """
        Fail if something was called.

        Raises:
            AssertionError: it was; the message lists what was called.

        """
        __tracebackhide__ = True
        self.assert_called(match, times=0)

    def reset(self, world: World | None = None) -> None:
        """
        Go back to the beginning: world, clock and rate limit; forget faults, requests and expiries.

        Args:
            world: what it shall begin with from now on; what it began with when absent.

        """
        self._engine.reset(world)

    def snapshot(self) -> Snapshot:
        """Return the world as it is now, for `restore`."""
        with self._engine.lock:
            return Snapshot(self._engine.world.copy())

    def restore(self, snapshot: Snapshot) -> None:
        """Make the world as it was."""
        with self._engine.lock:
            self._engine.world = snapshot.world

    def load(self, world: str | os.PathLike[str] | Mapping[str, object]) -> None:
        """
        Add to the world what a file or mapping says.

        Args:
            world: the name of a JSON file, or its content.

        Raises:
            ValueError: the content does not say what it should; the message names the place. The
                world is then as it was.

        """
        content: object = world
        if isinstance(world, (str, os.PathLike)):
            content = json.loads(Path(world).read_text(encoding="utf-8"))
        with self._engine.lock:
            before = self._engine.world.copy()
            try:
                load_world(self, content)
            except BaseException:
                self._engine.world = before
                raise

    def openapi(self) -> JsonObject:
        """Return an OpenAPI 3.0.3 document of all operations."""
        return openapi()

    def export(self) -> JsonObject:
        """Return the world as a mapping that `load` takes."""
        with self._engine.lock:
            return export_world(self._engine.world)
