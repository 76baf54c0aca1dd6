"""The corpus of good and bad files, opened by the peer and by ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, Both
from operations import Raised, Returned

FILES = ROOT / "tests" / "files"
# The rules of the format where ours is stricter than the peer.
STRICTER = ("DUPLICATE_KEY", "TENSOR_NOT_OBJECT", "INVALID_DTYPE", "RANK_TOO_LARGE")
OPEN = """
with safe_open(path, 'np', backend=backend) as f:
    slices = {name: f.get_slice(name) for name in f.keys()}
    about = [(name, s.get_shape(), s.get_dtype()) for name, s in slices.items()]
    full = [name for name in f.offset_keys() if 0 not in slices[name].get_shape()]
    metadata = f.metadata()
about, full, metadata is None, sorted((metadata or {}).items())
"""
DESERIALIZE = "sorted((n, sorted(v.items())) for n, v in deserialize(open(path, 'rb').read()))"
ERROR = """
try:
    safe_open(path, 'np')
except SafetensorError as error:
    out = error.code, error.byte, str(error.file), error.tensor, getattr(error, '__notes__', [''])
out
"""


def expectations() -> list[tuple[str, str, str]]:
    """(file, status, byte to blame) of every file that stands alone."""
    table = FILES / "expected.tsv"
    if not table.exists():
        return []
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    return [(row[0], row[1], row[2]) for row in rows if row[0].startswith(("good/", "bad/"))]


EXPECTED = expectations()
GOOD = [name for name, status, _ in EXPECTED if status == "OK"]
BAD = [row for row in EXPECTED if row[1] != "OK"]


def test_the_corpus_is_there(corpus: Path) -> None:
    assert len(GOOD) > 100
    assert len(BAD) > 300


@pytest.mark.parametrize("name", GOOD)
def test_good_files(both: Both, name: str) -> None:
    path = str(FILES / name)
    for backend in ("mmap", "pread"):
        assert isinstance(both(OPEN, path=path, backend=backend), Returned)
    both(DESERIALIZE, path=path)


@pytest.mark.parametrize(("name", "status"), [row[:2] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_files(both: Both, name: str, status: str) -> None:
    """Refused by both, for the same kind of defect but where a rule of ours comes first."""
    path = str(FILES / name)
    better = "stricter" if status in STRICTER else "defect-wording"
    if status == "BYTE_ORDER_MARK":
        better = "byte-order-mark"
    for backend in ("mmap", "pread"):
        ours = both(OPEN, better=better, path=path, backend=backend)
        assert isinstance(ours, Raised) and ours.kind == "SafetensorError"
    ours = both(DESERIALIZE, better=better, path=path)
    assert isinstance(ours, Raised) and ours.kind == "SafetensorError"


@pytest.mark.parametrize(("name", "status", "byte"), BAD, ids=[row[0] for row in BAD])
def test_errors_tell_where(name: str, status: str, byte: str) -> None:
    """The attributes of the exception: the defect, the byte to blame, the file."""
    from operations import run

    path = str(FILES / name)
    outcome = run(ERROR, {"path": path})
    assert isinstance(outcome, Returned), outcome
    code, where, file, _, notes = outcome.value[1]
    assert code == ("str", status)
    assert where == (("NoneType", None) if byte == "-" else ("int", int(byte)))
    assert file == ("str", path)
    assert notes[1]
