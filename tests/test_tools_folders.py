"""No tool empties a folder that it did not make, and what a full disk interrupts is not half there."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import (
    arguments,
    cleaning,
    execute,
    files,
    normal,
    notebooks,
    published,
    render,
    running,
    vendor,
)
from tools.files import ROOT, Refused


@pytest.fixture
def thesis(tmp_path) -> Path:
    """A folder of the reader's, with a link and a hidden folder in it."""
    folder = tmp_path / "thesis"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main")
    (folder / "chapter.tex").write_text("years of work")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("inside", ["", "."])
@pytest.mark.parametrize("tool", [execute.copy_book, vendor.fill, files.fresh])
def test_a_folder_with_the_readers_files_is_refused_and_left_as_it_was(tool, inside, thesis):
    before = contents(thesis)
    with pytest.raises(
        Refused, match="is not empty and was not made by this tool, so it is left alone"
    ):
        tool(thesis / inside)
    assert contents(thesis) == before


def test_the_commands_refuse_a_foreign_folder_and_the_clone_in_one_sentence(thesis):
    for line in (
        ["execute", "--copy-to", str(thesis)],
        ["execute", "--copy-to", "."],
        ["vendor", str(thesis)],
    ):
        told = subprocess.run(
            [sys.executable, "-m", f"tools.{line[0]}", *line[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert told.returncode == 2 and "was not made by this tool" in told.stderr
        assert told.stderr.count("\n") == 1 and "Traceback" not in told.stderr
    assert (thesis / "chapter.tex").read_text() == "years of work" and (ROOT / "Makefile").is_file()


def test_a_folder_that_a_tool_made_is_emptied_and_used_again(tmp_path):
    made = files.fresh(tmp_path / "made")
    (made / "old").mkdir()
    assert files.fresh(made) == made and [path.name for path in made.iterdir()] == [files.MARK]


def test_a_copy_of_a_made_folder_is_the_readers_own(tmp_path):
    made = files.fresh(tmp_path / "made")
    shutil.copytree(made, tmp_path / "copy")
    (tmp_path / "copy" / "notes.txt").write_text("mine")
    with pytest.raises(Refused):
        files.fresh(tmp_path / "copy")


def test_a_link_to_a_folder_of_the_readers_is_no_way_into_it(tmp_path, thesis):
    (tmp_path / "link").symlink_to(thesis)
    with pytest.raises(Refused):
        files.fresh(tmp_path / "link")
    made = files.fresh(tmp_path / "made")
    (made / "inside").symlink_to(thesis)
    files.fresh(made)
    assert (thesis / "chapter.tex").is_file()


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Refused, match="is a file"):
        files.fresh(tmp_path / "file")


def test_what_is_rendered_replaces_only_what_was_rendered_before(tmp_path, thesis):
    new = tmp_path / "new"
    for text in ("one", "two"):
        new.mkdir()
        (new / "index.html").write_text(text)
        files.put_in_place(new, tmp_path / "html")
        assert (tmp_path / "html" / "index.html").read_text() == text and not new.exists()
    new.mkdir()
    with pytest.raises(Refused):
        files.put_in_place(new, thesis)
    assert (thesis / "chapter.tex").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["html", "new", "thesis"]


def test_clean_deletes_what_was_built_and_names_what_it_leaves(tmp_path, thesis, capsys):
    build = tmp_path / "_build"
    for name in ("html", "src", "mine"):
        (build / name).mkdir(parents=True)
    (build / "linked").symlink_to(thesis)
    for name in ("__pycache__", ".venv/lib/__pycache__", "build/bdist.linux"):
        (tmp_path / name).mkdir(parents=True)
    assert cleaning.clean(tmp_path) == 0
    assert sorted(path.name for path in build.iterdir()) == ["linked", "mine"]
    assert "did not put it there: linked, mine" in capsys.readouterr().out
    assert not (tmp_path / "__pycache__").exists() and not (tmp_path / "build").exists()
    assert (tmp_path / ".venv/lib/__pycache__").is_dir() and (thesis / "chapter.tex").is_file()


def test_clean_leaves_a_folder_called_build_that_is_the_readers(tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "house.dwg").write_text("plans")
    cleaning.clean(tmp_path)
    assert (tmp_path / "build" / "house.dwg").is_file()


# A full disk


@pytest.fixture
def chapter(tmp_path) -> Path:
    path = tmp_path / "book" / "01-first.ipynb"
    notebooks.write(new_notebook(cells=[new_code_cell("1 + 1")]), path)
    return path


def test_a_full_disk_while_a_chapter_is_written_is_one_sentence(chapter, monkeypatch, capsys):
    before = contents(chapter.parent)

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(normal, "write_whole", full)
    assert arguments.told(lambda: execute.main(["--in-place", str(chapter), "--jobs", "1"])) == 1
    said = capsys.readouterr().err
    assert said.startswith("The disk is full") and said.count("\n") == 1
    assert contents(chapter.parent) == before


def test_a_cell_that_finds_the_disk_full_is_one_sentence(chapter, capsys):
    source = f"raise OSError({errno.ENOSPC}, 'No space left on device')"
    notebooks.write(new_notebook(cells=[new_code_cell(source)]), chapter)
    assert execute.main(["--in-place", str(chapter), "--jobs", "1"]) == 1
    assert "01-first.ipynb, cell 0: the disk is full. Make room" in capsys.readouterr().err


SMALL = "mount -t tmpfs -o size=64k none '{folder}' && cp '{chapter}' '{folder}/' && {then}"


def test_a_disk_that_is_really_full_leaves_the_chapter_whole(chapter, tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    run = f"'{sys.executable}' -m tools.execute --in-place '{folder}/01-first.ipynb' --jobs 1; code=$?"
    after = f"cat '{folder}/01-first.ipynb' > '{tmp_path}/after'; ls -A '{folder}' > '{tmp_path}/names'; exit $code"
    fill = f"(cat /dev/zero > '{folder}/filled'; true) 2> '{tmp_path}/full'"
    script = SMALL.format(folder=folder, chapter=chapter, then=f"{fill}; {run}; {after}")
    command = ["unshare", "-Urm", "sh", "-c", script]
    if (
        not shutil.which("unshare")
        or subprocess.run([*command[:2], "true"], capture_output=True).returncode
    ):
        pytest.skip("this user may mount no small disk; the tests above fake one")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "mount:" in told.stderr:
        pytest.skip("this user may mount no small disk; the tests above fake one")
    assert (
        told.returncode == 1
        and "The disk is full" in told.stderr
        and "Traceback" not in told.stderr
    )
    assert (tmp_path / "after").read_bytes() == chapter.read_bytes()
    assert (tmp_path / "names").read_text().split() == ["01-first.ipynb", "filled"]


def test_a_disk_that_fills_up_while_pages_are_rendered_leaves_the_book_before(
    tmp_path, monkeypatch
):
    source = tmp_path / "src"
    shutil.copytree(ROOT / "book" / "_static", source / "book" / "_static")
    shutil.copy2(ROOT / "_config.yml", source)
    shown = files.fresh(tmp_path / "out" / "_build" / "html")
    (shown / "index.html").write_text("the book as it was")
    before = contents(shown)

    def fills_up(command, *, stdout, **options):
        (tmp_path / "rendering" / "_build" / "html").mkdir(parents=True)
        (tmp_path / "rendering" / "_build" / "html" / "index.html").write_text("half a p")
        stdout.write("Traceback ...\nOSError: [Errno 28] No space left on device\n")
        return 1

    monkeypatch.setattr(vendor, "fill", lambda target: target)
    monkeypatch.setattr(running, "call", fills_up)
    with pytest.raises(
        Refused,
        match="The disk is full: make room and run the command again. The chapters .* are kept",
    ):
        render.render(source, tmp_path / "out", published.Place(None))
    assert contents(shown) == before
