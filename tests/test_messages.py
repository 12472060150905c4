"""What the package says when something is wrong, all on one page: tests/messages.txt."""

from __future__ import annotations

from pathlib import Path

import pytest
from messages import messages

import itwin_async

SNAPSHOT = Path(__file__).with_name("messages.txt")


def test_messages_are_those_of_the_snapshot(request: pytest.FixtureRequest) -> None:
    assert itwin_async.__file__ is not None
    found = messages(Path(itwin_async.__file__).parent)
    if request.config.getoption("--update-messages"):
        SNAPSHOT.write_text("\n".join(found) + "\n", encoding="utf-8")
    assert len(found) > 100
    kept = SNAPSHOT.read_text(encoding="utf-8").splitlines()
    assert found == kept, "read the difference; `pytest tests/test_messages.py --update-messages`"


def test_every_form_of_a_message_is_found(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "rooms.py").write_text(
        """
class DoorError(ValueError): ...

def closed(name: str) -> DoorError:
    text = f"{name} is closed"
    return DoorError(text, 1)

def enter(door, count):
    if count < 1:
        raise ArgumentError("count", count, "at least 1")
    if door.broken:
        raise closed("the broken door")
    raise DoorError("no way in: " + door.name, status=5) from DoorError(message=f"go {3}" " back")
""",
        encoding="utf-8",
    )
    (tmp_path / "house" / "errors.py").write_text("class ArgumentError(ValueError): ...")
    assert messages(tmp_path / "house") == [
        "house.rooms: ArgumentError: count must be at least 1",
        "house.rooms: DoorError: go {3} back",
        "house.rooms: DoorError: no way in: {door.name}",
        "house.rooms: DoorError: the broken door",
        "house.rooms: DoorError: {name} is closed",
    ]
