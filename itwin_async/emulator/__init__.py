"""A local iTwin Platform for tests and trials, independent of the client."""

from itwin_async.emulator.certificate import Certificate
from itwin_async.emulator.clock import EmulatorClock
from itwin_async.emulator.faults.fault import Answer, Fault, FaultError
from itwin_async.emulator.platform.routes import ServedOperation
from itwin_async.emulator.platform.served import SERVED
from itwin_async.emulator.rate_limits import RateLimit
from itwin_async.emulator.recording.cassette import Cassette, CassetteError
from itwin_async.emulator.recording.matching import CassetteMissError, Matching, Miss
from itwin_async.emulator.recording.modes import record_or_replay
from itwin_async.emulator.recording.recorder import Recorder, RecorderThread
from itwin_async.emulator.recording.replay import Replay, ReplayThread
from itwin_async.emulator.request_log import RecordedRequest
from itwin_async.emulator.server import Emulator, EmulatorThread
from itwin_async.emulator.signin.oauth import OAuthClient, TokenRequest
from itwin_async.emulator.world.records import (
    Extent,
    IModelRecord,
    ITwinRecord,
    TagRecord,
    UserRecord,
)
from itwin_async.emulator.world.repositories import RepositoryRecord, ResourceRecord
from itwin_async.emulator.world.saved_views import SavedViewGroupRecord, SavedViewRecord
from itwin_async.emulator.world.state import World

__all__ = [  # noqa: RUF022 - sorted as sorted() does
    "Answer",
    "Cassette",
    "CassetteError",
    "CassetteMissError",
    "Certificate",
    "Emulator",
    "EmulatorClock",
    "EmulatorThread",
    "Extent",
    "Fault",
    "FaultError",
    "IModelRecord",
    "ITwinRecord",
    "Matching",
    "Miss",
    "OAuthClient",
    "RateLimit",
    "RecordedRequest",
    "Recorder",
    "RecorderThread",
    "Replay",
    "ReplayThread",
    "RepositoryRecord",
    "ResourceRecord",
    "SERVED",
    "SavedViewGroupRecord",
    "SavedViewRecord",
    "ServedOperation",
    "TagRecord",
    "TokenRequest",
    "UserRecord",
    "World",
    "record_or_replay",
]
