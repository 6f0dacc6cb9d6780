"""Ctrl-C and TERM end everything that a run started, at once; what was finished before stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import notebooks
from tools.files import ROOT

LONG = """\
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open("{name}.started", "w") as file:
    print(os.getpid(), child.pid, file=file)
os.rename("{name}.started", "{name}.running")
time.sleep(600)"""
PATIENCE = 60  # seconds for two kernels to start on a busy machine
AT_ONCE = 10  # seconds for everything to be gone, on the same machine


@pytest.fixture
def four(tmp_path) -> list[Path]:
    """One quick notebook, two that would run for ten minutes, and one that should never start."""
    cells = {"01-quick": "1 + 1", "02-long": LONG, "03-long": LONG, "04-never": LONG}
    paths = []
    for name, source in cells.items():
        path = tmp_path / f"{name}.ipynb"
        cell = new_code_cell(source.replace("{name}", name))
        notebooks.write(new_notebook(cells=[cell]), path)
        paths.append(path)
    return paths


def until(condition, seconds: float) -> bool:
    """Whether ``condition`` came true within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


def begin(command: list[str], folder: Path) -> tuple[subprocess.Popen, list[int]]:
    """Start a run in a group of its own, as a terminal does; the processes that it runs once both long notebooks do."""
    environ = {**os.environ, "COURSE_ENVIRONMENT": "1"}  # this Python is the right one
    run = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = [folder / "02-long.running", folder / "03-long.running"]
    assert until(
        lambda: all(file.is_file() for file in running) or run.poll() is not None, PATIENCE
    )
    assert run.poll() is None, run.communicate()
    started = [int(word) for file in running for word in file.read_text().split()]
    return run, started + [child.pid for child in psutil.Process(run.pid).children(recursive=True)]


def gone(pids: list[int]) -> bool:
    return not any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        for pid in pids
    )


def as_it_should(run: subprocess.Popen, pids: list[int], four: list[Path]) -> str:
    """Check what is left of a run that was stopped; return what it said."""
    out, err = run.communicate(timeout=AT_ONCE)
    assert until(lambda: gone(pids), 2), "something lives on"
    assert "Traceback" not in err and "Stopped. Nothing of it is running any more." in err
    assert "1 of 4 notebooks are through and kept; 3 are not." in out
    quick, *others = [notebooks.read(path) for path in four]
    assert quick.cells[0].outputs and not any(notebook.cells[0].outputs for notebook in others)
    assert not list(four[0].parent.glob("04-never.*ed")) and not list(
        four[0].parent.glob("*.partial")
    )
    return out


def test_the_runner_ends_everything_it_started(four):
    command = [sys.executable, "-m", "tools.execute", "--jobs", "2", "--in-place", *map(str, four)]
    run, pids = begin(command, four[0].parent)
    os.killpg(run.pid, signal.SIGINT)
    as_it_should(run, pids, four)
    assert run.returncode == 130


@pytest.mark.parametrize("how", ["Ctrl-C twice", "TERM to make alone"])
def test_behind_make_everything_ends_too(how, four):
    pattern = f"NB={four[0].parent}/0*.ipynb"
    command = [
        "make",
        "-s",
        "outputs",
        pattern,
        f"PYTHON3={sys.executable}",
        "JOBS=2",
        "SCALE=smoke",
    ]
    run, pids = begin(command, four[0].parent)
    if how == "TERM to make alone":
        run.terminate()
    else:
        for _ in range(2):
            os.killpg(run.pid, signal.SIGINT)
            time.sleep(0.1)
    as_it_should(run, pids, four)
    assert run.returncode != 0


def test_a_program_that_a_tool_runs_ends_with_the_tool(tmp_path):
    source = (
        "from tools import arguments, running\n"
        f"line = ['sh', '-c', 'sleep 600 & echo $! $$ > {tmp_path}/pids; wait']\n"
        "arguments.command_line(lambda: running.call(line))\n"
    )
    tool = subprocess.Popen(
        [sys.executable, "-c", source], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert until(
        lambda: (tmp_path / "pids").is_file() and (tmp_path / "pids").read_text().strip(), PATIENCE
    )
    tool.send_signal(signal.SIGINT)
    _, err = tool.communicate(timeout=AT_ONCE)
    assert tool.returncode == 130 and err == "Stopped. Nothing of it is running any more.\n"
    assert until(lambda: gone([int(pid) for pid in (tmp_path / "pids").read_text().split()]), 2)
