"""Every command says in one sentence what it cannot take; no shell reads what a person gives; make is not needed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools import arguments, commands, environment, serving
from tools.files import ROOT, Refused

CANNOT = {
    "book --jobs 0": "JOBS is '0'; give a whole number from 1 to 64.",
    "book --jobs -3": "JOBS is '-3'",
    "book --jobs two": "JOBS is 'two'",
    "book --jobs 1e9": "JOBS is '1e9'",
    "book --scale huge": "SCALE is 'huge'; possible are smoke, laptop, gpu.",
    "serve --port -1": "PORT is '-1'; give a whole number from 1 to 65535.",
    "serve --port 70000": "PORT is '70000'",
    "outputs --nb nothing": "No notebook is called 'nothing'. For example: NB=book/02-generalization-gap.ipynb",
    "outputs --nb README.md": "README.md is no notebook: its name does not end in .ipynb.",
    "outputs --nb book": "book is a folder. Name its notebooks: NB='book",
    "check --nb nothing": "No notebook is called 'nothing'.",
    "check --nb 'book/0*.ipynb nothing'": "No notebook is called 'book/0*.ipynb nothing'.",
    "check --nb '\"open'": "No notebook is called '\"open'.",
    "bok": "No command is called 'bok'. Possible: book, ",
    "book --what": "Unrecognized arguments: --what.",
    "serve --port": "Argument --port: expected one argument.",
}


@pytest.mark.parametrize(("line", "said"), CANNOT.items(), ids=CANNOT)
def test_what_a_command_cannot_take_is_one_sentence(line, said, capsys, monkeypatch):
    import shlex

    monkeypatch.chdir(ROOT)
    assert arguments.told(lambda: commands.read(shlex.split(line))()) == 2
    words = capsys.readouterr().err
    assert said in words and words.count("\n") == 1


@pytest.mark.parametrize(
    "given", ["book/01-minibatch-sgd.ipynb", "book/0[12]*.ipynb", "book/01*.ipynb book/02*.ipynb"]
)
def test_notebooks_are_named_by_path_pattern_or_several(given, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = [path.name[:2] for path in arguments.notebooks_named([given])]
    assert found == (["01"] if given.startswith("book/01-") else ["01", "02"])


def test_a_notebook_whose_name_has_spaces_is_one_notebook(tmp_path):
    path = tmp_path / "my own [x] notebook.ipynb"
    path.write_text("{}")
    assert arguments.notebooks_named([str(path)]) == [path]


@pytest.fixture
def make():
    """Run make with this Python, which is taken for the right one."""
    if not shutil.which("make"):
        pytest.skip("there is no make here; python -m tools does the same")

    def run(*words: str, **more: str) -> subprocess.CompletedProcess:
        environ = {**os.environ, "COURSE_ENVIRONMENT": "1", **more}
        line = ["make", "-s", f"PYTHON3={sys.executable}", *words]
        return subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True)

    return run


@pytest.mark.parametrize(
    "attempt", ["x; touch {}", "$(shell touch {})", "`touch {}`", "$$(touch {})", "'; touch {}; '"]
)
@pytest.mark.parametrize("name", ["NB", "JOBS", "REPOSITORY"])
def test_no_shell_reads_what_is_given_to_make(name, attempt, make, tmp_path):
    file = tmp_path / "touched"
    command = {"NB": "check", "JOBS": "smoke", "REPOSITORY": "address"}[name]
    told = make(command, f"{name}={attempt.format(file)}")
    assert not file.exists() and told.returncode != 0 and "Traceback" not in told.stderr
    assert f"touch {file}" in told.stderr, "it is said back as it was given"


def test_what_the_environment_holds_is_not_run_either(make, tmp_path):
    file = tmp_path / "touched"
    told = make("check", NB=f"$(shell touch {file})")
    assert told.returncode != 0 and not file.exists()


def test_a_python_is_a_program_and_not_a_line_for_the_shell(make, tmp_path):
    told = make("help", f"PYTHON3=python3; touch {tmp_path}/touched")
    assert told.returncode != 0 and not (tmp_path / "touched").exists()


def test_make_and_python_list_the_same_commands(make):
    listed = set(re.findall(r"^  ([a-z-]+) ", make("help").stdout, re.M))
    goals = set(
        re.search(r"^COMMANDS := (.*)$", (ROOT / "Makefile").read_text(), re.M).group(1).split()
    )
    assert listed == goals | {"environment"} == set(commands.COMMANDS) | {"environment"}


def test_every_command_that_a_page_names_is_one():
    pages = [
        path
        for path in [*ROOT.glob("*.md"), *(ROOT / "book").glob("*.md")]
        if path.stem != "CHANGELOG"
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    named = set(re.findall(r"`make (?:[A-Z0-9]+=\S+ )*([a-z-]+)", text)) | set(
        re.findall(r"^make ([a-z-]+)", text, re.M)
    )
    assert named and named <= set(commands.COMMANDS) | {"environment", "python", "help"}


# Serving


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_taken_is_one_line_that_names_another(taken, tmp_path):
    (tmp_path / "index.html").touch()
    with pytest.raises(
        Refused, match=rf"Port {taken} is taken by another program. .* make serve PORT=\d+"
    ):
        serving.serve(tmp_path, taken)


def test_without_a_book_there_is_nothing_to_serve(tmp_path):
    with pytest.raises(Refused, match="There is no book yet. Run: make book"):
        serving.serve(tmp_path, 8000)


# The environment


def test_the_tiers_are_read_from_the_project_and_hold_the_package_itself():
    book, dev = environment.wanted("book"), environment.wanted("dev")
    assert book[0] == "labsupport" and "jupyter-book>=1.0.4,<2" in book and set(book) < set(dev)
    assert "pytest" in dev and "pytest" not in book, "a reader need not install what tests need"
    assert all(re.match(r"[A-Za-z][\w.-]*(\[[\w,]+\])?\s*([<>=!~].*)?$", line) for line in dev)


def test_requirements_that_are_not_met_are_named():
    given = [
        "pytest",
        "pytest>=1,<2",
        "no-such-package",
        "torch>=2.6",
        "torch!=2.5",
        "no-such-thing[x]>=3",
    ]
    assert environment.missing(given) == ["pytest>=1,<2", "no-such-package", "no-such-thing[x]>=3"]


def test_a_version_that_is_excluded_is_not_taken(monkeypatch):
    from importlib import metadata

    monkeypatch.setattr(metadata, "version", lambda name: "2.2.3")
    assert environment.missing(["pandas!=2.2.*"]) == ["pandas!=2.2.*"] and not environment.missing(
        ["pandas!=2.1.*"]
    )


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "letter.txt").write_text("mine")
    with pytest.raises(SystemExit, match="is not empty and is no virtual environment"):
        environment.create(tmp_path / ".venv", "book")
    assert [path.name for path in (tmp_path / ".venv").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("uv", ["", "/bin/uv"])
def test_uv_is_used_where_it_is_there_and_not_needed(uv, tmp_path, monkeypatch):
    ran: list[list[str]] = []

    def run(command, **options):
        ran.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, 0, stdout="", stderr="")

    monkeypatch.setattr(environment.shutil, "which", lambda name: uv or None)
    monkeypatch.setattr(environment.subprocess, "run", run)
    environment.create(tmp_path / "env", "book")
    make, install = ran[0], ran[1]
    assert (make[:2] == [uv, "venv"]) if uv else (make[1:3] == ["-m", "venv"])
    assert (
        (install[:3] == [uv, "pip", "install"])
        if uv
        else (install[1:4] == ["-m", "pip", "install"])
    )
    assert install[-2:] == ["-e", ".[book]"]


def test_bad_values_are_said_before_anything_is_installed(tmp_path):
    code = "import sys; sys.modules['psutil'] = None; sys.argv[1:] = ['book', '--jobs', '0']; import runpy; "
    code += "runpy.run_module('tools', run_name='__main__', alter_sys=True)"
    bare = [sys.executable, "-S", "-c", code]  # without installed packages
    environ = {name: value for name, value in os.environ.items() if name != "COURSE_ENVIRONMENT"}
    told = subprocess.run(bare, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert (
        told.returncode == 2 and told.stderr == "JOBS is '0'; give a whole number from 1 to 64.\n"
    )


def test_a_clone_has_the_same_line_ends_on_every_system(tmp_path):
    if not shutil.which("git"):
        pytest.skip("there is no git here")
    clone = tmp_path / "clone"
    for name in (
        ".gitattributes",
        "Makefile",
        "pyproject.toml",
        "book/intro.md",
        "book/01-minibatch-sgd.ipynb",
        ".ci/run",
    ):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)

    def git(*words: str, folder: Path = clone) -> str:
        windows = ["git", "-c", "core.autocrlf=true", "-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            [*windows, *words], cwd=folder, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "all")
    git("clone", "-q", str(clone), str(tmp_path / "windows"), folder=tmp_path)
    assert git("status", "--porcelain", folder=tmp_path / "windows") == ""
    for name in ("Makefile", ".ci/run", "book/intro.md"):
        assert b"\r" not in (tmp_path / "windows" / name).read_bytes()


def test_a_run_by_the_clock_says_what_it_left_out():
    line = [sys.executable, "-m", "pytest", "-q", "tests/test_errors.py"]
    environ = {**os.environ, "COURSE_TEST_MINUTES": "0"}
    done = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 0 and " passed" not in done.stdout, done.stdout + done.stderr
    count = re.search(r"Not run: (\d+) tests", done.stdout)
    assert count and f"tests/test_errors.py: {count[1]} not run" in done.stdout


def test_a_clock_that_is_no_number_is_refused():
    line = [sys.executable, "-m", "pytest", "-q", "tests/test_errors.py"]
    environ = {**os.environ, "COURSE_TEST_MINUTES": "an hour"}
    done = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 2 and "'an hour'; a number of minutes is needed" in (
        done.stdout + done.stderr
    )
