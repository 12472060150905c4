"""Ids that are given: in any case, from any editor, each once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from doubles import refused

from itwin_async import harvest
from itwin_async.harvest.ids import parse_ids

ONE, TWO = "ecc2584e-83c3-41d1-a8de-aa184ae6dcfe", "819cd4cc-3562-4f1a-931b-48f7d485bd34"
TEXT = f"# mine\n\n{ONE.upper()}\t# the first\n  {TWO}\n{ONE}\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_files_of_any_editor(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith(("-le", "-be")) else ""
    file = tmp_path / "ids.txt"
    file.write_bytes(f"{mark}{TEXT}".replace("\n", "\r\n").encode(encoding))
    (source,) = harvest.lists("tags", itwin_ids=file)
    assert source.keys == (ONE, TWO)


def test_an_id_in_two_cases_is_one_and_counted() -> None:
    found = parse_ids(TEXT.encode(), "ids.txt", "itwin_ids")
    assert (found.ids, found.repeated) == ((ONE, TWO), 1)
    # What is no GUID may mean another thing in other letters.
    assert parse_ids(b"Ab\nab\nAb\n", "ids.txt", "x").ids == ("Ab", "ab")


def test_the_same_ids_are_the_same_harvest() -> None:
    (one,), (other,) = (
        harvest.lists("tags", itwin_ids=ids) for ids in ([ONE, TWO], [TWO.upper(), ONE, ONE])
    )
    assert one.identity == other.identity


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf\r\n", b"# nothing\n", b"a b", b"a,b", b"\0"])
def test_files_without_ids_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ids.txt").write_bytes(data)
    with refused("imodel_ids"):
        harvest.lists("changesets", imodel_ids=tmp_path / "ids.txt")


def test_what_is_no_guid_is_no_itwin(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text(json.dumps(ONE).strip('"')[:-1])
    with refused("itwin_ids"):
        harvest.lists("tags", itwin_ids=tmp_path / "ids.txt")
