from __future__ import annotations

import asyncio
import builtins
import os
import re
import stat
import sys
from pathlib import Path

import attrs
import keyring
import keyring.backend
import keyring.backends.null
import keyring.errors
import pytest
from doubles import FakeClock
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from itwin_async import ConfigurationError, RetryPolicy, TransportError
from itwin_async._http.credentials import Secret
from itwin_async.auth import DefaultStore, FileStore, KeyringStore, StoredSignIn
from itwin_async.auth._files import locked, settings_folder
from itwin_async.auth.stores import decode_record, encode_record

ISSUER = "https://ims.bentley.com"
RECORD = StoredSignIn(
    ISSUER,
    "native",
    "http://localhost:3000/signin-callback",
    ("itwin-platform", "offline_access"),
    "https://api.bentley.com/",
    Secret("the-refresh-token"),
    Secret("the-access-token"),
    2000.0,
    3600.0,
    1000.0,
)


def sign_ins(folder: Path) -> list[Path]:
    return list(folder.glob("*.json"))


def plain(record: StoredSignIn | None) -> dict[str, object]:
    assert record is not None
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in attrs.asdict(record, recurse=False).items()
    }


class Memory(keyring.backend.KeyringBackend):
    """A keyring that takes texts up to a length, and refuses when it is locked."""

    priority = 5  # type: ignore[assignment]

    def __init__(self, limit: int = 10**6) -> None:
        super().__init__()
        self.limit = limit
        self.locked = False
        self.entries: dict[tuple[str, str], str] = {}

    def _check(self, secret: str = "") -> None:
        if self.locked:
            raise keyring.errors.KeyringLocked(f"locked; {secret}")
        if len(secret) > self.limit:
            raise OSError(f"too long: {secret}")

    def get_password(self, service: str, username: str) -> str | None:
        self._check()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._check(password)
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._check()
        del self.entries[service, username]


@pytest.fixture
def memory() -> Memory:
    backend = Memory()
    keyring.set_keyring(backend)
    return backend


def test_a_file_is_its_owners_alone(settings: Path) -> None:
    old = os.umask(0)
    try:
        where = FileStore(settings).save(RECORD)
    finally:
        os.umask(old)
    (file,) = settings.iterdir()
    assert str(file) in where
    assert "0600" in where
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.stat().st_mode) == 0o700
    assert plain(FileStore(settings).load(ISSUER)) == plain(RECORD)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_open_is_refused_and_replaced(settings: Path, mode: int) -> None:
    store = FileStore(settings)
    store.save(RECORD)
    (file,) = settings.iterdir()
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=re.escape(str(file))):
        store.load(ISSUER)
    store.save(RECORD)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert store.load(ISSUER) is not None


def test_each_issuer_has_a_sign_in_of_its_own(settings: Path) -> None:
    store = FileStore(settings)
    issuers = [ISSUER, f"{ISSUER}:444", "https://qa-ims.bentley.com", "http://[::1]:80/../../x"]
    for issuer in issuers:
        store.save(attrs.evolve(RECORD, issuer=issuer, client_id=issuer))
    assert len(list(settings.iterdir())) == 4
    for issuer in issuers:
        found = store.load(issuer)
        assert found is not None
        assert found.client_id == issuer
    assert store.delete(ISSUER)
    assert not store.delete(ISSUER)
    assert store.load(ISSUER) is None
    assert store.load(issuers[1]) is not None


def test_nothing_is_left_of_a_write_that_failed(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FileStore(settings).save(RECORD)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        FileStore(settings).save(attrs.evolve(RECORD, client_id="other"))
    assert len(list(settings.iterdir())) == 1
    assert plain(FileStore(settings).load(ISSUER)) == plain(RECORD)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="below"):
        FileStore(tmp_path / "file" / "below").save(RECORD)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 2}', '{"version": 1}', "\x00", '{"version":1,"issuer":5}',
     '{"version":1,"issuer":"https://ims.bentley.com","scopes":[]}'],
)  # fmt: skip
def test_a_damaged_file_is_no_sign_in(settings: Path, text: str) -> None:
    store = FileStore(settings)
    store.save(RECORD)
    next(settings.iterdir()).write_text(text)
    assert store.load(ISSUER) is None


def test_a_sign_in_of_another_issuer_is_not_taken() -> None:
    assert decode_record(encode_record(RECORD), "https://evil.example") is None
    assert decode_record(encode_record(RECORD), ISSUER) is not None


@given(data=st.text() | st.dictionaries(st.text(), st.integers()).map(repr))
@hypothesis_settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_no_text_breaks_reading(data: str) -> None:
    assert decode_record(Secret(data), ISSUER) is None


def test_the_keyring_is_preferred(settings: Path, memory: Memory) -> None:
    store = DefaultStore()
    FileStore().save(attrs.evolve(RECORD, client_id="old", saved_at=1.0))
    assert store.save(RECORD) == "the system's keyring"
    assert list(memory.entries) == [("itwin-async", ISSUER)]
    assert not list(settings.iterdir())
    assert plain(store.load(ISSUER)) == plain(RECORD)
    assert store.delete(ISSUER)
    assert not store.delete(ISSUER)
    assert not memory.entries


def test_a_keyring_for_short_texts_keeps_what_matters(memory: Memory) -> None:
    memory.limit = len(encode_record(RECORD).reveal()) - 10
    assert KeyringStore().save(RECORD) == "the system's keyring"
    found = KeyringStore().load(ISSUER)
    assert found is not None
    assert found.access is None
    assert found.refresh is not None
    assert found.refresh.reveal() == "the-refresh-token"


@pytest.mark.parametrize("fault", ["locked", "short"])
def test_what_the_keyring_does_not_take_goes_to_the_file(
    settings: Path, memory: Memory, fault: str
) -> None:
    memory.locked, memory.limit = fault == "locked", 5 if fault == "short" else 10**6
    where = DefaultStore().save(RECORD)
    assert where.startswith(f"the file {settings}")
    assert "because the system's keyring is locked" in where
    assert plain(DefaultStore().load(ISSUER)) == plain(RECORD)


def test_the_newest_of_two_counts(memory: Memory) -> None:
    DefaultStore().save(RECORD)
    memory.locked = True
    DefaultStore().save(attrs.evolve(RECORD, client_id="newer", saved_at=1001.0))
    memory.locked = False
    found = DefaultStore().load(ISSUER)
    assert found is not None
    assert found.client_id == "newer"
    assert DefaultStore().delete(ISSUER)
    assert DefaultStore().load(ISSUER) is None


@pytest.mark.parametrize("backend", ["fail", "null", "none", "broken"])
def test_without_a_keyring_there_is_the_file(
    settings: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    words = "this system has no keyring"
    if backend == "null":
        # It takes everything and keeps nothing, and is only chosen by hand.
        monkeypatch.setattr(keyring.backends.null.Keyring, "priority", 1)
        keyring.set_keyring(keyring.backends.null.Keyring())
    if backend == "none":
        words = "the package keyring is not installed"
        real = builtins.__import__

        def absent(name: str, *rest: object) -> object:
            if name.split(".", maxsplit=1)[0] == "keyring":
                raise ModuleNotFoundError(name=name)
            return real(name, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", absent)
    if backend == "broken":
        words = "the system's keyring does not work"

        def broken() -> None:
            raise RuntimeError("no bus")

        monkeypatch.setattr(keyring, "get_keyring", broken)
    where = DefaultStore().save(RECORD)
    assert where.endswith(f"because {words}")
    assert plain(DefaultStore().load(ISSUER)) == plain(RECORD)
    assert DefaultStore().delete(ISSUER)


def test_settings_lie_where_the_system_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert settings_folder() == Path("/home/x/.config/itwin-async")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/data")
    assert settings_folder() == Path("/data/itwin-async")


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(ConfigurationError, match="XDG_CONFIG_HOME"):
        DefaultStore()


async def test_one_holds_the_lock_and_the_others_wait(clock: FakeClock) -> None:
    policy, inside, most = RetryPolicy(sleep=clock.sleep), 0, 0

    async def enter() -> None:
        nonlocal inside, most
        async with locked(ISSUER, policy, 60):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(enter() for _ in range(20)))
    assert most == 1


def locks(folder: Path) -> list[Path]:
    return list(folder.glob("*.lock"))


async def test_a_lock_that_is_never_free_is_an_error(policy: RetryPolicy, settings: Path) -> None:
    async with locked(ISSUER, policy, 1):
        with pytest.raises(TransportError, match="lock") as caught:
            async with locked(ISSUER, policy, 1):
                pass
    assert caught.value.timeout
    assert not caught.value.sent
    async with locked(ISSUER, policy, 1):
        pass
    (file,) = locks(settings)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_renewing_needs_filelock(
    policy: RetryPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'itwin-async\[login\]'"):
        async with locked(ISSUER, policy, 1):
            pass


def test_a_locked_keyring_does_not_read_as_nobody(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ITWIN_ACCESS_TOKEN", raising=False)
    DefaultStore().save(RECORD)
    memory.locked = True
    for load in (KeyringStore().load, DefaultStore().load):
        with pytest.raises(ConfigurationError, match="locked") as caught:
            load(ISSUER)
        assert caught.value.__cause__ is None
        assert "the-refresh-token" not in repr(caught.value.__context__ or "")
    assert not DefaultStore().delete(ISSUER)
    memory.locked = False
    assert plain(DefaultStore().load(ISSUER)) == plain(RECORD)
