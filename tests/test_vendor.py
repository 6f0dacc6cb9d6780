"""The scripts of the pages: fetched once, checked always, and said plainly when they cannot be had."""

import io
import subprocess
import tarfile
from dataclasses import replace

import pytest

from tools import vendor


def packed(**files: str) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}.js")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


ARCHIVE = packed(wanted="1", other="2")
PACKAGE = vendor.Package("@scope/thing", "1.0.0", vendor.digest(ARCHIVE), ("wanted.js",))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vendor, "download", lambda package: ARCHIVE)
    monkeypatch.setattr(vendor, "npm_pack", fails(OSError("npm is not there")))


def fails(error):
    def source(package):
        raise error

    source.__name__ = "npm_pack"
    return source


def test_takes_the_files_that_are_wanted_and_keeps_the_archive(tmp_path, monkeypatch):
    folder = vendor.unpack(PACKAGE, tmp_path / "offline")
    assert folder.name == "thing" and [file.name for file in folder.iterdir()] == ["wanted.js"]
    monkeypatch.setattr(vendor, "download", fails(OSError("no network")))
    assert (vendor.unpack(PACKAGE, tmp_path / "again") / "wanted.js").read_text() == "1"


def test_an_altered_archive_is_refused_and_not_kept(monkeypatch):
    monkeypatch.setattr(vendor, "download", lambda package: packed(wanted="evil"))
    with pytest.raises(vendor.Unavailable, match="not the one that was pinned"):
        vendor.fetch(PACKAGE)
    assert not list(vendor.cache().glob("*"))


def test_a_damaged_archive_in_the_cache_is_fetched_again():
    vendor.fetch(PACKAGE)
    kept = vendor.cache() / PACKAGE.archive
    kept.write_bytes(kept.read_bytes()[:50])
    assert vendor.fetch(PACKAGE) == ARCHIVE == kept.read_bytes()


def test_without_network_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setattr(vendor, "download", fails(OSError("no route to host")))
    with pytest.raises(
        vendor.Unavailable, match=r"@scope/thing 1\.0\.0.*no route to host.*put thing-1\.0\.0\.tgz into"
    ):
        vendor.fetch(PACKAGE)


def test_npm_is_asked_when_the_registry_does_not_answer(monkeypatch):
    monkeypatch.setattr(vendor, "download", fails(OSError("certificate")))
    monkeypatch.setattr(vendor, "npm_pack", lambda package: ARCHIVE)
    assert vendor.fetch(PACKAGE) == ARCHIVE


def test_a_package_without_the_wanted_files_is_refused(tmp_path):
    with pytest.raises(vendor.Unavailable, match="lacks some of absent.js"):
        vendor.unpack(replace(PACKAGE, files=("absent.js",)), tmp_path)


def test_the_command_says_what_failed_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(vendor, "download", fails(OSError("no route to host")))
    assert vendor.main([str(tmp_path / "vendor")]) == 1
    assert "no route to host" in capsys.readouterr().err


def test_the_registry_of_this_machine_is_used(tmp_path, monkeypatch):
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    settings = tmp_path / "npmrc"
    monkeypatch.setenv("npm_config_userconfig", str(settings))
    assert vendor.registry() == vendor.PUBLIC
    settings.write_text("fund=false\nregistry = https://mirror.example/npm\n")
    assert vendor.registry() == "https://mirror.example/npm/"
    monkeypatch.setenv("npm_config_registry", "https://other.example")
    assert vendor.registry() == "https://other.example/"


def test_npm_that_fails_counts_as_no_answer(monkeypatch):
    monkeypatch.setattr(vendor, "download", fails(OSError("down")))
    monkeypatch.setattr(vendor, "npm_pack", fails(subprocess.CalledProcessError(1, "npm")))
    with pytest.raises(vendor.Unavailable):
        vendor.fetch(PACKAGE)
