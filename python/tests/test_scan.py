"""scan(): what is found, how it is told, and what a caller may give."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from conftest import ROOT
from safetensors import Finding, ScanResult

DIGITS = ROOT / "examples" / "digits"
POISONED = ROOT / "examples" / "attacks" / "poisoned.pt"
# A class that nobody knows: looked up, called, and given a state.
STRANGER = b"\x80\x02cstranger\nThing\n)R}X\x01\x00\x00\x00aK\x01sb."
SYSTEM = b"cos\nsystem\n(S'true'\ntR."


def one(path: str | os.PathLike[str], **wishes: Any) -> ScanResult:
    """The result for a file."""
    result = safetensors.scan(path, **wishes)
    assert isinstance(result, ScanResult)
    return result


# ---- what is found ----


@pytest.mark.parametrize(
    ("name", "kind"), [("digits.pt", "torch_zip"), ("digits-legacy.pt", "torch_legacy")]
)
def test_what_torch_saved_is_clean(name: str, kind: str) -> None:
    result = one(DIGITS / name)
    assert result == ScanResult(str(DIGITS / name), "clean", kind, (), 0)
    assert result.clean


def test_safetensors_files_are_judged_by_the_format(tmp_path: Path) -> None:
    assert one(DIGITS / "digits.safetensors").format == "safetensors"
    broken = tmp_path / "x"
    broken.write_bytes((DIGITS / "digits.safetensors").read_bytes()[:-1])
    result = one(broken)
    assert result.verdict == "malformed"
    assert [finding.code for finding in result.findings] == ["TRUNCATED_DATA"]


def test_an_attack_is_told_with_what_it_would_call() -> None:
    result = one(POISONED)
    assert (result.verdict, result.format) == ("dangerous", "torch_zip")
    calls = [finding for finding in result.findings if finding.code == "DANGEROUS_CALL"]
    assert len(calls) == 2
    for finding in calls:
        assert finding.severity == "dangerous"
        assert finding.name in ("__builtin__.exec", "builtins.exec")
        assert finding.opcode == "REDUCE"
        assert finding.member == "poisoned/data.pkl"
        assert finding.byte is not None
        assert f"byte {finding.byte}" in finding.where
        assert str(finding) == f"{finding.where}: dangerous: {finding.detail}"
    assert calls[0].call is not None and "d.all_reduce = " in calls[0].call
    assert calls[1].call is not None and "os._exit" in calls[1].call
    assert result.found >= len(result.findings)


def test_every_file_of_the_corpus(corpus: Path) -> None:
    """The same verdicts as the command's tests expect."""
    folder = corpus / "pickles"
    entries = json.loads((folder / "expected.json").read_text())
    wrong = {
        entry["file"]: verdict
        for entry in entries
        if (verdict := one(folder / entry["file"]).verdict) not in entry["verdicts"]
    }
    assert len(entries) > 100
    assert not wrong


# ---- folders ----


def test_a_folder_gives_a_list_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one").write_bytes(SYSTEM)
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "c").write_bytes(STRANGER)
    results = safetensors.scan(tmp_path)
    assert isinstance(results, list)
    assert [(Path(r.path).name, r.verdict) for r in results] == [
        ("a.npy", "clean"),
        ("one", "dangerous"),
        ("c", "unknown"),
    ]


def test_an_empty_folder_gives_an_empty_list(tmp_path: Path) -> None:
    assert safetensors.scan(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_file_of_a_folder_that_is_closed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(SYSTEM)
    (tmp_path / "x").chmod(0)
    results = safetensors.scan(tmp_path)
    assert isinstance(results, list)
    (result,) = results
    assert (result.verdict, result.format) == ("malformed", "unreadable")
    assert [finding.code for finding in result.findings] == ["OPEN_FAILED"]


def test_a_link_to_nowhere_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "good.npy").symlink_to(tmp_path / "none")
    np.save(tmp_path / "z.npy", np.zeros(3))
    results = safetensors.scan(tmp_path)
    assert isinstance(results, list)
    assert results[-1].clean
    for result in results[:-1]:
        assert (result.verdict, result.format) == ("malformed", "unreadable")


# ---- what is vouched for ----


def test_names_that_the_caller_vouches_for(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(STRANGER)
    assert one(path).verdict == "unknown"
    assert one(path, allow=["other.Thing"]).verdict == "unknown"
    assert one(path, allow=["stranger.Thing"]).clean
    assert one(path, allow=iter(["a.b", "stranger.Thing"])).clean


def test_what_is_dangerous_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(SYSTEM)
    assert one(path, allow=["os.system", "posix.system"]).verdict == "dangerous"


@pytest.mark.parametrize(
    ("allow", "kind"),
    [
        ("os.path", TypeError),
        ([3], TypeError),
        (3, TypeError),
        (["name"], ValueError),
        ([".name"], ValueError),
        (["module."], ValueError),
        (["mod\0ule.name"], ValueError),
        (["module.\ud800"], UnicodeEncodeError),
    ],
)
def test_what_is_no_list_of_names(allow: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        safetensors.scan(POISONED, allow=allow)


# ---- files, and how long it takes ----


def test_paths_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "\udcff \n"
    path.write_bytes(SYSTEM)
    assert one(path).path == str(path)
    assert one(str(path)) == one(path)
    assert one(os.fsencode(path)) == one(path)  # type: ignore[arg-type]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        safetensors.scan(tmp_path / "none")
    with pytest.raises(ValueError, match="null"):
        safetensors.scan("x\0y")
    with pytest.raises(TypeError, match="PathLike"):
        safetensors.scan(3.5)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="/dev/null"):
        safetensors.scan("/dev/null")


def test_progress(tmp_path: Path) -> None:
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.zeros(1000))
    seen: list[tuple[int, int]] = []
    safetensors.scan(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen
    assert seen == sorted(seen)
    assert all(done <= total for done, total in seen)


def test_an_exception_in_progress_ends_the_scan(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(1000))

    def stop(done: int, total: int) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        safetensors.scan(tmp_path, progress=stop)
    with pytest.raises(TypeError):
        safetensors.scan(tmp_path, progress=3)  # type: ignore[arg-type]


def test_many_threads_at_once() -> None:
    wanted = [one(DIGITS / "digits.pt"), one(POISONED)]
    found: list[list[ScanResult]] = []

    def work() -> None:
        found.extend([one(DIGITS / "digits.pt"), one(POISONED)] for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 160


# ---- what the results are ----


def test_results_are_values() -> None:
    result = one(POISONED)
    again = pickle.loads(pickle.dumps(result))  # noqa: S301
    assert again == result
    assert hash(again) == hash(result)
    assert isinstance(again.findings[0], Finding)
    with pytest.raises(AttributeError):
        result.verdict = "clean"  # type: ignore[misc]


def test_the_package_does_not_pay_for_it_when_it_is_imported() -> None:
    code = (
        "import sys, safetensors\n"
        "print('safetensors._checkpoints' in sys.modules, 'dataclasses' in sys.modules)\n"
        "print(safetensors.scan.__module__, set(safetensors.__all__) <= set(dir(safetensors)))\n"
        "print(hasattr(safetensors, 'nothing'))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:3] == [
        "False False",
        "safetensors._checkpoints True",
        "False",
    ]
