"""The controls of an emulator, for tests in any thread."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.control.collaboration import CollaborationControls
from itwin_async.emulator.control.history import HistoryControls
from itwin_async.emulator.control.itwin_data import ITwinDataControls
from itwin_async.emulator.control.saved_views import SavedViewControls
from itwin_async.emulator.control.signin import SignInControls
from itwin_async.emulator.control.world_file import add_imodel, export_chunks, load_world
from itwin_async.emulator.faults.fault import Fault
from itwin_async.emulator.faults.plan import SetFault
from itwin_async.emulator.json_types import Json, JsonObject
from itwin_async.emulator.near_misses import check_match
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.request_log import Requests, times_in_words
from itwin_async.emulator.wanted import Wanted
from itwin_async.emulator.world.records import IModelRecord, UserRecord
from itwin_async.emulator.world.state import Snapshot, World


class EmulatorControls(
    SavedViewControls, CollaborationControls, HistoryControls, ITwinDataControls, SignInControls
):
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
        query: Mapping[str, str] | None = None,
        request_headers: Mapping[str, str] | None = None,
        request_json: Json = None,
        user: str | None = None,
        unserved: bool = False,
    ) -> SetFault:
        """
        Respond to requests with an error; with `with`, while a block runs.

        Args:
            match: the requests, as `GET /imodels/favorites`; see `Fault`.
            status: the HTTP status.
            retry_after: value of the header `retry-after`.
            times: how often; forever when None.
            after: how many matching requests pass before.
            body: the body; the platform's own for that status when None.
            headers: further headers.
            query: parameters that the requests have, with their values.
            request_headers: headers that the requests have, with their values.
            request_json: what the JSON body of the requests has, among other members.
            user: the user whose requests are meant; all when None.
            unserved: whether `match` may be of an operation that the emulator does not serve.

        """
        fault = Fault(
            match=match,
            status=status,
            retry_after=retry_after,
            times=times,
            after=after,
            body=body,
            headers=headers or {},
            query=query or {},
            request_headers=request_headers or {},
            request_json=request_json,
            user=user,
            unserved=unserved,
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
            self._engine.faults.clear()

    def assert_all_faults_used(self) -> None:
        """Fail if a fault that is set applied to no request."""
        __tracebackhide__ = True
        unused = [repr(entry) for entry in self.faults if not entry.applied]
        if unused:
            lines = "\n  ".join(unused)
            raise AssertionError(f"faults that applied to no request:\n  {lines}")

    @property
    def requests(self) -> Requests:
        """The requests to the platform, the oldest first; printed one a line."""
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
        self,
        match: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        user: str | None = None,
        status: int | None = None,
    ) -> Requests:
        """
        Return the requests that match.

        Args:
            match: method and path, as `GET /imodels/favorites`.
            query: parameters that were sent, with their values.
            headers: headers that were sent, with their values.
            json: what the JSON body had, among other members.
            user: the name of the user.
            status: the status of the response.

        Raises:
            ValueError: no operation matches.

        """
        check_match(match)
        with self._engine.lock:
            return _wanted(match, query, headers, json, user, status).among(
                self._engine.log.requests
            )

    def assert_called(
        self,
        match: str,
        *,
        times: int | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        user: str | None = None,
        status: int | None = None,
    ) -> Requests:
        """
        Fail unless an operation was called, and return the requests.

        Args:
            match: method and path, as `PUT /imodels/favorites/{id}`.
            times: how often exactly; at least once when None.
            query: parameters that were sent, with their values.
            headers: headers that were sent, with their values.
            json: what the JSON body had, among other members.
            user: the name of the user.
            status: the status of the response.

        Raises:
            ValueError: no operation matches.
            AssertionError: it was not; the message lists what was called instead.

        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        found = self.calls(match, query=query, headers=headers, json=json, user=user, status=status)
        if (times is None and not found) or (times is not None and len(found) != times):
            expected = "at least once" if times is None else times_in_words(times)
            wanted = _wanted(match, query, headers, json, user, status)
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

        Raises:
            Exception: what a function of a fault raised since the last reset. All is reset then.

        """
        self._engine.reset(world)
        self.raise_failures()

    def raise_failures(self) -> None:
        """Raise what functions of faults raised, and forget it; the end of the emulator does so."""
        self._engine.raise_failures()

    def snapshot(self) -> Snapshot:
        """Return the present world, for `restore`."""
        with self._engine.lock:
            return Snapshot(self._engine.world.copy())

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        """The snapshots with a name, which live until the next `reset`."""
        return self._engine.snapshots

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
            content = jsonlib.loads(Path(world).read_text(encoding="utf-8"))
        with self._engine.lock:
            before = self._engine.world.copy()
            try:
                load_world(self._engine.world, self._engine.clock, content)
            except BaseException:
                self._engine.world = before
                raise

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the world to a file that `load` takes; an interruption leaves the old one."""
        fresh = Path(f"{os.fspath(path)}.new")
        with fresh.open("wb") as file:
            file.writelines(export_chunks(self.snapshot().world))
        fresh.replace(path)

    def load_imodel(self, content: JsonObject, *, front: bool = False) -> IModelRecord:
        """
        Add an iModel to its iTwin.

        Args:
            content: the iModel as on the wire.
            front: whether it precedes all others in lists.

        Raises:
            ValueError: the platform would not create such an iModel.
            KeyError: the iTwin is unknown.

        """
        with self._engine.lock:
            engine = self._engine
            return add_imodel(engine.world, engine.clock, content, front=front)

    def openapi(self) -> JsonObject:
        """Return an OpenAPI 3.0.3 document of all operations."""
        return openapi()

    def export(self) -> JsonObject:
        """Return the world as JSON that `load` takes."""
        with self._engine.lock:
            text = b"".join(export_chunks(self._engine.world))
        return cast("JsonObject", msgspec.json.decode(text))


def _wanted(
    match: str,
    query: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    json: object,
    user: str | None,
    status: int | None,
) -> Wanted:
    return Wanted(
        match=match,
        query=query or {},
        headers=headers or {},
        json=json,
        user=user,
        status=status,
    )
