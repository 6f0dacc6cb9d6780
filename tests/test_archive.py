"""Released results: what was packed comes back bit by bit, and nothing else gets into a store."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from labsupport.cache import archive


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    np.savez(folder / "train-1a2b.npz", x=np.arange(12.0))
    np.savez(folder / "sharpness-3c4d.npz", value=np.ones(3))
    (folder / "train-1a2b.lock").touch()
    (folder / "claims").mkdir()
    return folder


def packed(store, tmp_path):
    sha = archive.pack(tmp_path / "minima.zip", store)
    return (tmp_path / "minima.zip").read_bytes(), sha


def zipped(**entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue(), archive.digest(buffer.getvalue())


def test_what_was_packed_comes_back_bit_by_bit(store, tmp_path):
    content, sha = packed(store, tmp_path)
    assert archive.unpack(content, sha, tmp_path / "other") == 2
    for path in store.glob("*.npz"):
        assert (tmp_path / "other" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "other").iterdir())) == 2, "no locks, no claims"


def test_the_same_results_are_the_same_archive(store, tmp_path):
    one, _ = packed(store, tmp_path)
    assert packed(store, tmp_path)[0] == one


def test_a_readers_own_results_stay(store, tmp_path):
    content, sha = packed(store, tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "train-1a2b.npz").write_bytes(b"mine")
    assert archive.unpack(content, sha, mine) == 1
    assert (mine / "train-1a2b.npz").read_bytes() == b"mine"


def test_every_flipped_byte_is_noticed_before_anything_is_written(store, tmp_path):
    content, sha = packed(store, tmp_path)
    for at in range(0, len(content), max(1, len(content) // 50)):
        flipped = bytearray(content)
        flipped[at] ^= 1
        with pytest.raises(archive.Refused, match="SHA-256 differs"):
            archive.unpack(bytes(flipped), sha, tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "name", ["../escaped.npz", "/etc/x.npz", "code.py", "a/b.npz", "run.joblib", "a.npz.exe"]
)
def test_a_foreign_file_is_refused_even_under_its_own_hash(name, tmp_path):
    content, sha = zipped(**{name: b"x", archive.LIST: f"{archive.digest(b'x')}  {name}\n"})
    with pytest.raises(archive.Refused, match="no stored result"):
        archive.unpack(content, sha, tmp_path / "other")
    assert not (tmp_path / "other").exists() and not (tmp_path / "escaped.npz").exists()


def test_an_entry_that_is_not_listed_is_refused(tmp_path):
    content, sha = zipped(**{"a-1.npz": b"x", archive.LIST: f"{archive.digest(b'y')}  a-1.npz\n"})
    with pytest.raises(archive.Refused, match="not what the list says"):
        archive.unpack(content, sha, tmp_path / "other")


def test_what_is_no_zip_is_refused(tmp_path):
    with pytest.raises(archive.Refused, match="cannot be read"):
        archive.unpack(b"nothing", archive.digest(b"nothing"), tmp_path)


def test_an_empty_store_cannot_be_packed(tmp_path):
    with pytest.raises(archive.Refused, match="no stored results in"):
        archive.pack(tmp_path / "minima.zip", tmp_path)


def test_without_a_connection_one_line_says_what_happens_now(capsys, tmp_path):
    assert archive.bring("https://127.0.0.1:9/minima.zip", "0" * 64, tmp_path) == 0
    said = capsys.readouterr().err
    assert said.startswith("The released results could not be used (") and said.count("\n") == 1
    assert "trained here" in said


def test_only_https_is_asked():
    with pytest.raises(ValueError, match="begins with https://"):
        archive.bring("http://example.org/minima.zip", "0" * 64)
