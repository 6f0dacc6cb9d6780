"""The scripts of the pages: fetched once, checked always, and said plainly when they cannot be had."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tools import arguments, files, vendor


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
    """An empty cache, and a registry that has the archive."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    serve(monkeypatch, ARCHIVE)


def serve(monkeypatch, answer: bytes | Exception) -> None:
    """Let the registry answer with these bytes, or fail."""

    def download(url, output_file, pooch):
        if isinstance(answer, Exception):
            raise answer
        Path(output_file).write_bytes(answer)

    monkeypatch.setattr(vendor.pooch, "HTTPDownloader", lambda **options: download)


def test_takes_the_files_that_are_wanted_and_keeps_the_archive(tmp_path, monkeypatch):
    folder = vendor.unpack(PACKAGE, tmp_path / "offline")
    assert folder.name == "thing" and [file.name for file in folder.iterdir()] == ["wanted.js"]
    serve(monkeypatch, requests.ConnectionError("no network"))
    assert (vendor.unpack(PACKAGE, tmp_path / "again") / "wanted.js").read_text() == "1"


def test_an_altered_archive_is_refused_and_not_kept(monkeypatch):
    serve(monkeypatch, packed(wanted="evil"))
    with pytest.raises(vendor.Unavailable, match="not the one that was pinned"):
        vendor.fetch(PACKAGE)
    assert not list(vendor.cache().glob("*"))


def test_a_damaged_archive_in_the_cache_is_fetched_again():
    vendor.fetch(PACKAGE)
    kept = vendor.cache() / PACKAGE.archive
    kept.write_bytes(kept.read_bytes()[:50])
    assert vendor.fetch(PACKAGE) == ARCHIVE == kept.read_bytes()


def test_without_network_the_message_says_what_to_do(monkeypatch):
    serve(monkeypatch, requests.ConnectionError("no route to host"))
    expected = r"@scope/thing 1\.0\.0.*no route to host.*put thing-1\.0\.0\.tgz into"
    with pytest.raises(vendor.Unavailable, match=expected):
        vendor.fetch(PACKAGE)


def test_a_cache_that_cannot_be_written_costs_a_line_and_nothing_else(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert vendor.fetch(PACKAGE) == ARCHIVE
    assert "thing-1.0.0.tgz is used without being kept" in capsys.readouterr().err


def test_a_user_without_a_home_gets_the_scripts_all_the_same(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert vendor.cache() is None and vendor.fetch(PACKAGE) == ARCHIVE


def test_a_package_without_the_wanted_files_is_refused(tmp_path):
    with pytest.raises(vendor.Unavailable, match="lacks some of absent.js"):
        vendor.unpack(replace(PACKAGE, files=("absent.js",)), tmp_path)


def test_the_command_says_what_failed_and_fails(tmp_path, monkeypatch, capsys):
    serve(monkeypatch, requests.ConnectionError("no route to host"))
    assert arguments.told(lambda: vendor.main([str(tmp_path / "vendor")])) == 2
    said = capsys.readouterr().err
    assert "no route to host" in said and said.count("\n") == 1


def test_a_folder_of_the_readers_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor, "BOOK", (PACKAGE,))
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("years of work")
    with pytest.raises(files.Refused, match="was not made by this tool"):
        vendor.main([str(thesis)])
    assert (thesis / "chapter.tex").read_text() == "years of work"


def test_a_folder_that_is_filled_already_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor, "BOOK", (PACKAGE,))
    vendor.fill(tmp_path / "vendor")
    monkeypatch.setattr(vendor, "fetch", None)
    assert (
        vendor.fill(tmp_path / "vendor") / "html" / "offline" / "thing" / "wanted.js"
    ).read_text() == "1"


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


def test_every_archive_is_pinned_by_its_whole_hash():
    packages = (*vendor.BOOK, vendor.REVEAL, vendor.AXE)
    assert [package.name for package in packages][-1] == "axe-core" and len(packages) == 5
    assert all(len(bytes.fromhex(package.sha512)) == 64 for package in packages)
