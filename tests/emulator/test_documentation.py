from __future__ import annotations

import json
import re

import attrs
import pytest
from caller import Caller
from documents import blocks, text

from itwin_async.emulator import Emulator, Fault
from itwin_async.emulator.command import parser
from itwin_async.emulator.world.collaboration import ChangesetGroupRecord
from itwin_async.emulator.world.creations import CreationRecord, schedule

TEXT = text("docs/emulator.md")
EXAMPLES = [
    example.strip()
    for block in blocks("docs/emulator.md", "http")
    for example in re.split(r"\n\n", block)
]


async def test_every_example_works(call: Caller, emulator: Emulator) -> None:
    emulator.add_itwin("Other")
    first, *_, other = emulator.state.itwins
    kept = emulator.snapshot()
    for example in EXAMPLES:
        emulator.restore(kept)
        await call("GET", "/itwins/favorites?$top=3")
        if "assert-all" in example:
            emulator.clear_faults()
        names = {"itwin": first, "other": other, "token": emulator.token_for("ana")}
        names["imodel"] = emulator.state.imodels_of(first)[0].id
        names["briefcase"] = emulator.add_briefcase(names["imodel"]).id
        group = ChangesetGroupRecord(id="g", description="x", creator_id="", created="")
        emulator.state.belongings.put(group, names["imodel"])
        names["group"] = group.id
        emulator.add_changeset(names["imodel"])
        clone = emulator.add_imodel(first, "A clone", state="notInitialized")
        schedule(emulator.state, clone.id, CreationRecord(state="scheduled"))
        names["clone"] = clone.id
        text = example
        for name, value in names.items():
            text = text.replace(f"<{name}>", value)
        start, _, body = text.partition("\n")
        method, target = start.split(" ")
        reply = await call.as_user(None)(method, target, json=json.loads(body) if body else None)
        assert reply.status in {200, 201, 204}, (example, reply.text)
        if "/clock" not in target and "/requests" not in target and "/reset" not in target:
            emulator.clear_requests()


async def test_every_action_is_in_an_example(call: Caller) -> None:
    actions = (await call("GET", "/_emulator")).json["actions"]
    shown = {example.split("\n")[0].partition("?")[0] for example in EXAMPLES}
    shown = {re.sub(r"/(<\w+>|\d+)$", "/{id}", one.replace("/_emulator", "")) for one in shown}
    assert shown == {action.removesuffix("/") for action in actions}


def test_every_member_of_a_fault_is_named() -> None:
    members = {field.name for field in attrs.fields(Fault)}
    named = set(re.findall(r"`\"?(\w+)\"?[`:]", TEXT))
    assert members - named == {"answer"}


@pytest.mark.parametrize("option", re.findall(r"^\| `(--.*?)` \|", TEXT, re.MULTILINE))
def test_the_options_exist(option: str) -> None:
    help_text = parser().format_help()
    assert all(word in help_text for word in re.findall(r"--[\w-]+", option))
