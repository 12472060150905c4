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
from itwin_async.emulator.control.faults import FaultControls
from itwin_async.emulator.control.history import HistoryControls
from itwin_async.emulator.control.itwin_data import ITwinDataControls
from itwin_async.emulator.control.requests import RequestControls
from itwin_async.emulator.control.saved_views import SavedViewControls
from itwin_async.emulator.control.signin import SignInControls
from itwin_async.emulator.control.world_file import add_imodel, export_chunks, load_world
from itwin_async.emulator.json_types import JsonObject
from itwin_async.emulator.platform.openapi import openapi
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.world.records import IModelRecord, UserRecord
from itwin_async.emulator.world.state import Snapshot, World


class EmulatorControls(
    SavedViewControls,
    CollaborationControls,
    HistoryControls,
    ITwinDataControls,
    SignInControls,
    FaultControls,
    RequestControls,
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
