"""What is installed is whole: every file of the package is in the wheel, and each tier has what it needs."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import colab, constraints, environment, versions
from tools.execute import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this tree."""
    return colab.wheel(tmp_path_factory.mktemp("wheel"))


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as file:
        inside = {name for name in file.namelist() if not name.startswith("labsupport-")}
    here = {
        path
        for path in (ROOT / "labsupport").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {str(path.relative_to(ROOT)) for path in here} == inside


def test_the_package_installs_in_a_clean_environment_and_finds_its_data(wheel, tmp_path):
    """With pip, beside nothing; only what it needs is borrowed, since that is gigabytes."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = environment.python_of(tmp_path / "env")
    names = [
        re.match(r"[\w.-]+", line).group()
        for line in environment.wanted("book")
        if "jupyter-book" not in line
    ]
    colab.link([name for name in names if name != "labsupport"], tmp_path / "borrowed", python)
    colab.pip(python, "install", "--no-deps", str(wheel))
    asks = "from labsupport import paper, provenance; print(len(paper.curve(3, 'F1', 'train_loss')), RESULTS)"
    asks = asks.replace("RESULTS", "sorted(p.name for p in provenance.FOLDER.glob('*.json'))")
    told = subprocess.run(
        [python, "-c", asks], cwd=tmp_path, capture_output=True, text=True, env=colab.outside()
    )
    assert told.returncode == 0, told.stderr
    assert "claims.json" in told.stdout
    doctor = subprocess.run(
        [python.parent / "labsupport", "doctor"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=colab.outside(),
    )
    assert doctor.returncode == 0 and doctor.stdout.startswith("labsupport:"), doctor.stderr


def test_what_lies_in_the_working_folder_counts_as_installed_nowhere(tmp_path, monkeypatch):
    """A clone holds the package's metadata after an editable install, and commands are given in the clone."""
    (tmp_path / "lying_about.egg-info").mkdir()
    (tmp_path / "lying_about.egg-info" / "PKG-INFO").write_text("Name: lying-about\nVersion: 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    seen = colab.Colab(Path(sys.executable), tmp_path, {}).versions()
    assert "pytest" in seen and "lying-about" not in seen
    with pytest.raises(subprocess.CalledProcessError):
        colab.pip(Path(sys.executable), "show", "lying-about")


def test_a_borrowed_torch_gets_what_it_needs_in_another_version_than_colabs(monkeypatch):
    """Else pip would change it when a chapter installs the package, and the rehearsal would blame the chapter."""
    needs = {
        "torch": ["setuptools>=77.0.3", "filelock", 'typer<0.1; sys_platform == "none"'],
        "torchvision": ["numpy", "torch>=2.14.0", "scipy>=9; extra == 'scipy'"],
    }
    monkeypatch.setattr(colab.metadata, "requires", needs.get)
    pinned = {"setuptools": "75.2.0", "filelock": "3.32.3", "typer": "0.27.1", "torch": "2.11.0"}
    pinned |= {"numpy": "2.1.3", "scipy": "1.16.3"}
    assert colab.instead(pinned) == {"setuptools": "setuptools>=77.0.3"}
    assert colab.instead(pinned | {"setuptools": "81.0.0"}) == {}


def test_an_extra_that_one_package_asks_of_another_counts_as_a_need(monkeypatch):
    """As torch asks for GPU libraries: where they are not found, pip fetches gigabytes."""
    needs = {
        "torch": ["filelock", "cuda-toolkit[blas,nvtx]==13.0 ; platform_system == 'Linux'"],
        "filelock": ["docs; extra == 'docs'"],
        "cuda-toolkit": ["nvidia-blas; extra == 'blas'", 'nvidia-fft; extra == "fft"'],
        "nvidia-blas": [],
    }

    def requires(name):
        if name not in needs:
            raise constraints.metadata.PackageNotFoundError(name)
        return needs[name]

    monkeypatch.setattr(constraints.metadata, "requires", requires)
    assert constraints.needs(["torch"]) == ["cuda-toolkit", "filelock", "nvidia-blas", "torch"]


def test_no_setting_of_this_process_reaches_the_rehearsal(monkeypatch):
    for name in colab.OURS:
        monkeypatch.setenv(name, "/of/this/process")
    assert not colab.OURS & set(colab.outside())


def test_the_package_has_no_upper_bounds_and_leaves_torch_alone(wheel):
    with zipfile.ZipFile(wheel) as file:
        name = next(name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        needs = email.message_from_bytes(file.read(name)).get_all("Requires-Dist")
    package = [line for line in needs if "extra ==" not in line]
    assert "torch>=2.6" in package
    assert not [line for line in package if "<" in line or "==" in line or "~=" in line]
    assert not [line for line in package if line.startswith(("torchvision", "pytest", "jupyter"))]


def test_a_row_of_versions_takes_the_place_of_an_older_one_of_its_python_and_torch(tmp_path):
    page = tmp_path / "README.md"
    head = "| system | Python | torch | result |\n|---|---|---|---|\n"
    page.write_text(f"# Tried\n\n{versions.START}{head}{versions.END}Last.\n", encoding="utf-8")
    row = {"system": "Linux", "python": "3.12.1", "failed": "", "ran": [], "modules": 9}
    for torch, seconds in (("2.8.0", 5), ("2.6.0", 4), ("2.8.0", 7)):
        new = row | {"versions": {"torch": torch}, "example": seconds}
        versions.record(new | {"result": versions.result(new)}, page)
    text = page.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| Linux")]
    assert [line.split(" | ")[2] for line in rows] == ["2.6.0", "2.8.0"]
    assert "README's example (7 s)" in rows[1] and text.startswith("# Tried") and "Last." in text


def test_the_example_that_each_version_runs_is_that_of_the_readme():
    code = versions.example()
    assert "sharpness.sharpness(" in code and "epochs=3" in code and "seeds=2" in code


def test_a_reader_of_the_book_installs_no_test_tools():
    book, dev = environment.wanted("book"), environment.wanted("dev")
    tools = {"pytest", "nbval", "playwright", "zizmor", "ruff>=0.9"}
    assert tools <= set(dev) and not tools & set(book)
    assert set(book) < set(dev)


def test_the_torch_for_processors_is_fetched_where_it_was_asked_for(monkeypatch, capsys):
    for name in ("COURSE_TORCH", "TORCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(environment.sys, "platform", "linux")
    assert environment.torch_source() == []
    assert "make TORCH=cpu book" in capsys.readouterr().err
    monkeypatch.setenv("TORCH", "cpu")
    assert environment.torch_source() == ["--extra-index-url", environment.CPU_INDEX]
    monkeypatch.setenv("TORCH", "cuda")
    with pytest.raises(SystemExit, match="TORCH is 'cuda'. Possible: cpu, "):
        environment.torch_source()


def test_the_constraints_of_the_book_are_all_versions_of_what_it_needs():
    pinned = constraints.read(ROOT / "constraints" / "book.txt")
    names = {
        constraints.canonical(re.match(r"[\w.-]+", line).group())
        for line in environment.wanted("book")
    }
    assert names - {"labsupport"} <= set(map(constraints.canonical, pinned))
    assert all(re.fullmatch(r"\d[\w.]*", version) for version in pinned.values())


def test_the_constraints_of_colab_are_those_of_its_image():
    pinned = constraints.read(colab.PINS)
    assert set(pinned) == set(constraints.ON_COLAB)
    assert constraints.python_of(colab.PINS).startswith("3.")


def test_a_list_of_colabs_that_lacks_a_package_is_refused():
    with pytest.raises(SystemExit, match="pip-freeze.txt does not say which filelock, ipykernel"):
        constraints.colab("numpy==2.1.3\n", "3.13.15", "pip-freeze.txt")
