"""New iTwins and iModels with sensible members."""

from __future__ import annotations

from itwin_async.emulator.clock import EmulatorClock, stamp
from itwin_async.emulator.world.generate import ACCOUNT, EPOCH
from itwin_async.emulator.world.ids import guid_of, is_guid
from itwin_async.emulator.world.records import IModelRecord, ITwinRecord
from itwin_async.emulator.world.state import World


def account_of(world: World) -> ITwinRecord:
    """Return the account that all iTwins belong to."""
    account_id = world.guids.guid(ACCOUNT, 0)
    return ITwinRecord(
        id=account_id,
        class_="Account",
        sub_class="Account",
        number="Example Corp.",
        display_name="Example Corp.",
        account_id=account_id,
        created=stamp(EPOCH, 3),
        created_by=guid_of("creator"),
    )


def new_itwin(
    world: World,
    clock: EmulatorClock,
    display_name: str | None = None,
    itwin_id: str | None = None,
) -> ITwinRecord:
    """Return an iTwin that is not in the world yet."""
    new_id = _new_id(world, itwin_id)
    account = world.guids.guid(ACCOUNT, 0)
    return ITwinRecord(
        id=new_id,
        display_name=display_name or f"iTwin {world.made}",
        number=new_id,
        parent_id=account,
        account_id=account,
        created=clock.stamp(3),
        created_by=guid_of("creator"),
    )


def new_imodel(
    world: World,
    clock: EmulatorClock,
    itwin_id: str,
    display_name: str | None = None,
    imodel_id: str | None = None,
) -> IModelRecord:
    """Return an iModel that is not in the world yet; KeyError for an unknown iTwin."""
    itwin = world.itwins[itwin_id]
    new_id = _new_id(world, imodel_id)
    return IModelRecord(
        id=new_id,
        itwin_id=itwin_id,
        name=display_name or f"iModel {world.made}",
        data_center_location=itwin.data_center_location,
        created=clock.stamp(),
        creator_id=guid_of("creator"),
    )


def _new_id(world: World, wanted: str | None) -> str:
    made = world.new_id()
    if wanted is None:
        return made
    if not is_guid(wanted):
        raise ValueError(f"an id is a GUID, not {wanted!r}")
    wanted = wanted.lower()
    if wanted in world.itwins or world.locate(wanted) is not None:
        raise ValueError(f"the id {wanted} is taken")
    return wanted
