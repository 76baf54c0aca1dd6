"""Pickles out of another scanner's own tests: malicious ones, harmless ones, broken ones."""

from __future__ import annotations

from pathlib import Path

from conftest import data_folder
from running import assert_cheap, convert, left_in, scan

# By these, those files broke readers: by what is in them, they are attacks too.
ATTACKS = ("bad_pytorch.pt", "pytorch_magic_bypass.pt", "sys_module_override_sploit.pkl")


def test_verdicts() -> None:
    """None that is named malicious is clean, every harmless one is."""
    folder = data_folder("pickles")
    seen: dict[str, int] = {}
    wrong = []
    for path in sorted(folder.iterdir()):
        ran, found = scan(path)
        assert_cheap(ran, path)
        verdict = found["verdict"]
        seen[verdict] = seen.get(verdict, 0) + 1
        if path.name.startswith("malicious") or path.name in ATTACKS:
            right = verdict in ("dangerous", "unknown", "malformed")
        elif path.name == "benign_password_protected.zip":
            right = verdict == "unknown"
        elif path.name.startswith("benign"):
            right = verdict == "clean"
        else:
            continue
        if not right:
            wrong.append(f"{path.name}: {verdict} {found['findings'][:2]}")
    print(seen)
    assert wrong == []
    assert sum(seen.values()) >= 45


def test_malicious_are_dangerous() -> None:
    """All but those that cannot be read are called what they are, and told what they would run."""
    for path in sorted(data_folder("pickles").glob("malicious*")):
        found = scan(path)[1]
        if path.suffix == ".7z":
            assert (found["verdict"], found["format"]) == ("malformed", "7z")
            continue
        assert found["verdict"] in ("dangerous", "unknown"), path.name
        if found["verdict"] == "dangerous":
            worst = [each for each in found["findings"] if each["severity"] == "dangerous"]
            assert worst and all(each["where"] for each in worst), path.name


def test_none_converts(tmp_path: Path) -> None:
    """No malicious file converts, with --allow-unknown neither where it is dangerous."""
    for path in sorted(data_folder("pickles").glob("malicious*")):
        verdict = scan(path)[1]["verdict"]
        assert convert(path, tmp_path / "out").code in (1, 2, 3), path.name
        if verdict == "dangerous":
            assert convert(path, tmp_path / "out", "--allow-unknown").code == 1, path.name
        assert left_in(tmp_path) == []
