"""The corpus of tests/files/pickles: each file's verdict, and what `sft convert` makes of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from running import assert_cheap, convert, left_in, run, scan

CORPUS = Path(__file__).resolve().parents[1] / "files" / "pickles"
ROWS: list[dict[str, Any]] = json.loads((CORPUS / "expected.json").read_text())
BY_VERDICT = {"clean": 0, "dangerous": 1, "unknown": 2, "malformed": 3}
DECIDING = ("malformed", "unknown", "dangerous")


def every_row() -> pytest.MarkDecorator:
    """The test runs once for each file."""
    return pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])


@every_row()
def test_scan(row: dict[str, Any]) -> None:
    """The verdict, the exit status, the findings and what they must name."""
    path = CORPUS / row["file"]
    ran, found = scan(path)
    assert_cheap(ran, path)
    shown = json.dumps(found["findings"][:4])
    assert found["verdict"] in row["verdicts"], shown
    assert ran.code == BY_VERDICT[found["verdict"]]
    assert found["schema"] == 1 and found["file"] == str(path)
    worst = {each["severity"] for each in found["findings"]}
    if found["verdict"] == "clean":
        assert worst <= {"warning"}, shown
    else:
        assert found["verdict"] == max(worst & set(DECIDING), key=DECIDING.index), shown
    for each in found["findings"]:
        assert each["code"] and each["where"] and each["detail"], each
    if "format" in row:
        assert found["format"] == row["format"]
    if "codes" in row:
        assert {each["code"] for each in found["findings"]} & set(row["codes"]), shown
    for text in row.get("mentions", []):
        assert any(text in each["detail"] for each in found["findings"]), shown


@every_row()
def test_convert(row: dict[str, Any], tmp_path: Path) -> None:
    """Refused, with the old file left as it was; or converted, with the tensors expected."""
    source, target = CORPUS / row["file"], tmp_path / "out.safetensors"
    target.write_bytes(b"old")
    ran = convert(source, target, "-f")
    assert_cheap(ran, source)
    assert ran.code in row["convert"], ran.err
    assert left_in(tmp_path) == ["out.safetensors"]
    if ran.code != 0:
        assert target.read_bytes() == b"old"
        assert ran.lines() and ran.lines()[0].startswith("sft: "), ran.err
        assert ran.out == b""
    elif "tensors" in row:
        assert tensors_of(target) == row["tensors"]


def tensors_of(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, as expected.json has them."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        digest = hashlib.sha256(data[start + begin : start + end]).hexdigest()
        found[name] = {"dtype": entry["dtype"], "shape": entry["shape"], "sha256": digest}
    return found


def test_nothing_is_made(tmp_path: Path) -> None:
    """A refusal makes nothing where nothing was, and without -f nothing is replaced."""
    target = tmp_path / "out.safetensors"
    for row in ROWS[::5]:
        ran = convert(CORPUS / row["file"], target)
        assert left_in(tmp_path) == (["out.safetensors"] if ran.code == 0 else [])
        if ran.code == 0:
            target.write_bytes(b"old")
            assert convert(CORPUS / row["file"], target).code == 3
            assert target.read_bytes() == b"old"
            target.unlink()


def test_allow_unknown(tmp_path: Path) -> None:
    """--allow-unknown converts what is unknown, or refuses it for another reason; never danger."""
    target = tmp_path / "out.safetensors"
    for number, row in enumerate(ROWS):
        source = CORPUS / row["file"]
        if row["verdicts"] == ["unknown"] or (row["verdicts"] == ["dangerous"] and number % 5 == 0):
            ran = convert(source, target, "-f", "--allow-unknown")
            allowed = (1,) if row["verdicts"] == ["dangerous"] else (0, 3)
            assert ran.code in allowed, (source, ran.err)
            assert target.exists() == (ran.code == 0)
            target.unlink(missing_ok=True)


def test_whole_folder() -> None:
    """A folder's walk finds what is found file by file."""
    ran = run("scan", "--json", CORPUS)
    assert ran.code == 1
    text = ran.out.decode()
    for row in ROWS:
        if row["verdicts"] == ["dangerous"]:
            assert json.dumps(str(CORPUS / row["file"]))[1:-1] in text, row["file"]


def test_no_false_alarms() -> None:
    """Every harmless file is clean: the corpus has them beside each trick."""
    harmless = [row for row in ROWS if row["file"].startswith("benign/")]
    assert len(harmless) >= 60
    assert all(row["verdicts"] == ["clean"] for row in harmless)
