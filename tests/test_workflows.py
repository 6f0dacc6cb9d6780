"""The files under .github have their form, may do no more than they must, and call what is here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import commands
from tools.execute import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "github-issue-forms": sorted(
        path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"
    ),
    "github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "dependabot": [GITHUB / "dependabot.yml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
}
BIN = Path(sys.executable).parent


def jobs(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]


def steps() -> list[tuple[str, dict]]:
    """(file and job, step) of every step of every workflow."""
    return [
        (f"{path.name}, {name}", step)
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        for step in job["steps"]
    ]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_fit_their_schema(schema):
    assert SCHEMAS[schema]
    pytest.importorskip("check_jsonschema")
    command = [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *SCHEMAS[schema]]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_a_fault_in_a_workflow_is_found(tmp_path):
    pytest.importorskip("check_jsonschema")
    bad = tmp_path / "bad.yml"
    bad.write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    step: []\n")
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", bad]
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_nothing_in_the_workflows_could_be_abused():
    zizmor = BIN / "zizmor"
    if not zizmor.exists():
        pytest.skip("zizmor is not installed")
    told = subprocess.run(
        [zizmor, "--offline", "--no-progress", GITHUB], capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_every_action_is_pinned_by_hash_and_its_version_said():
    lines = [
        line.strip()
        for path in WORKFLOWS
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert len(lines) > 10
    loose = [
        line
        for line in lines
        if not re.fullmatch(r"-? ?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    ]
    assert loose == []
    hashes = {line.split("uses: ")[1].split(" #")[0] for line in lines}
    assert len(hashes) == len({name.split("@")[0] for name in hashes}), "one action, one version"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_may_do_only_what_it_says_and_ends(path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {}
    for name, job in jobs(path).items():
        assert job["timeout-minutes"] <= 120, name
        assert job["permissions"], name
        writes = {key for key, value in job["permissions"].items() if value == "write"}
        assert not writes or path.stem in ("publish", "release"), f"{name} may write {writes}"


def test_a_pull_requests_code_never_runs_with_rights():
    for path in WORKFLOWS:
        triggers = yaml.safe_load(path.read_text(encoding="utf-8"))[True]
        assert "pull_request_target" not in triggers and "workflow_run" not in triggers


def test_steps_call_what_can_be_run_here():
    """`make X` is a target, `python -m tools.X` takes the options it is given, a script is there."""
    targets = {*commands.COMMANDS, "environment", "python", "help"}
    called = [(where, step["run"]) for where, step in steps() if "run" in step]
    assert len(called) > 8
    for where, script in called:
        for words in re.findall(r"\bmake ((?:-s |[a-z-]+ ?|[A-Z]+=\S+ ?)+)", script):
            wanted = {word for word in words.split() if re.fullmatch(r"[a-z][a-z-]+", word)}
            assert wanted <= targets, f"{where}: make {wanted - targets}"
        for module, options in re.findall(r"-m tools\.(\w+)((?: +[^\n|;)]+)?)", script):
            source = (ROOT / "tools" / f"{module}.py").read_text(encoding="utf-8")
            for option in re.findall(r"--[a-z-]+", options):
                assert f'"{option}"' in source, f"{where}: tools.{module} has no {option}"
        for script_file in re.findall(r"\bbash (\S+)", script):
            assert (ROOT / script_file).is_file(), where


def test_what_a_person_gives_reaches_no_shell_as_text():
    for where, step in steps():
        assert "${{" not in step.get("run", ""), f"{where}: pass it through env"


def test_the_development_container_sets_up_with_a_command_that_is_here():
    container = json.loads(
        (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    )
    assert container["onCreateCommand"].endswith("make environment")
    assert container["containerEnv"] == {"TORCH": "cpu"}


def test_the_form_for_claims_asks_for_the_doctor():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "claim.yml").read_text(encoding="utf-8"))
    doctor = next(part for part in form["body"] if part.get("id") == "doctor")
    assert (
        doctor["validations"]["required"] and "labsupport doctor" in doctor["attributes"]["label"]
    )
