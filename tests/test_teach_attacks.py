"""Hostile submissions: none earns a point, every one gets its row, and nothing outside is touched."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from labsupport.teach import confined, grade, release, sandbox, source, surroundings
from labsupport.teach.surroundings import Limits
from tests.assignments import hostile, made

ASSIGNMENTS = Path(__file__).resolve().parent.parent / "assignments"
LIMITS = Limits(seconds=60, memory_mb=1500, processes=64, output_mb=5, scratch_mb=64)
SHORT = Limits(seconds=6, memory_mb=1500, processes=64, output_mb=5, scratch_mb=64)


@pytest.fixture(scope="module")
def assignment():
    return source.read(ASSIGNMENTS / "04-the-measure")


@pytest.fixture(scope="module")
def warm():
    with sandbox.Warm() as started:
        yield started


@pytest.fixture(scope="module")
def kind():
    return sandbox.mode()


def attacked(assignment, warm, kind, cells, limits=LIMITS):
    """The record of the empty notebook with these cells after it."""
    notebook = made.code(made.empty(assignment))
    record = grade.Record("attack.ipynb", "digest", "release", seed=1)
    return grade.run(
        grade.Job(record, [*notebook, *cells], str(assignment.folder), limits, kind), warm
    )


@pytest.mark.parametrize("name", hostile.ATTACKS)
def test_an_attack_earns_nothing_and_its_row_says_what_happened(assignment, warm, kind, name):
    cells, says = hostile.ATTACKS[name]
    record = attacked(assignment, warm, kind, cells, SHORT if "not done" in says else LIMITS)
    assert len(record.results) == len(assignment.tests), "every test has its line"
    assert record.earned == 0, [result for result in record.results if result["earned"]]
    if says == "flag":
        assert record.problem or record.failed_cells
    else:
        assert says in record.problem


def values(warm, kind, cells, *names):
    """What names hold after the cells have run, shut in."""
    with warm.run(LIMITS, kind=kind) as inside:
        inside.send({"cells": cells})
        inside.receive()
        return [inside.ask({"get": name}).get("value") for name in names]


def test_neither_tests_nor_other_submissions_are_there_to_be_read(warm, kind):
    assert values(warm, kind, hostile.ATTACKS["reads the tests"][0], "found") == [[]]


def test_no_frame_and_no_object_inside_holds_a_test_or_an_expected_value(warm, kind):
    with warm.run(LIMITS, kind=kind) as inside:
        inside.send({"cells": hostile.ATTACKS["looks for expected values"][0]})
        inside.receive()
        inside.ask({"call": "corner", "args": [1.0], "named": {}})
        assert inside.ask({"get": "seen"}) == {"value": []}


def test_nothing_outside_the_scratch_can_be_changed_and_no_namespace_gives_more_rights(warm, kind):
    got, wrote = values(warm, kind, hostile.ATTACKS["mounts and writes"][0], "got", "wrote")
    assert wrote == []
    assert got[3:] == [-1, -1, -1], "no mount can be made, undone or made writable"


def test_what_is_visible_below_tmp_stays_read_only_and_tmp_can_be_written(
    warm, kind, monkeypatch, tmp_path
):
    tmp_path.chmod(0o755)
    (tmp_path / "known.txt").write_text("seen")
    usual = confined.visible()
    monkeypatch.setattr(confined, "visible", lambda: usual | {str(tmp_path): "/tmp/a clone"})
    tries = """
seen = open("/tmp/a clone/known.txt").read()
open("/tmp/own.txt", "w").write("mine")
own = open("/tmp/own.txt").read()
try:
    open("/tmp/a clone/known.txt", "w")
    refused = False
except OSError:
    refused = True
"""
    assert values(warm, kind, [tries], "seen", "own", "refused") == ["seen", "mine", True]
    assert (tmp_path / "known.txt").read_text() == "seen" and not Path("/tmp/own.txt").exists()


def test_nothing_is_deleted(warm, kind):
    assert values(warm, kind, hostile.ATTACKS["deletes files"][0], "gone") == [0]
    assert (ASSIGNMENTS / "04-the-measure" / "assignment.ipynb").is_file()


def test_there_is_no_network(warm, kind):
    assert values(warm, kind, hostile.ATTACKS["calls home"][0], "reached") == [[]]


def test_no_process_outlives_its_submission(warm, kind):
    before = set(left_by(warm))
    values(warm, kind, hostile.ATTACKS["stays behind"][0])
    values(
        warm,
        kind,
        [
            "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid(); time.sleep(99)"
        ],
    )
    until = time.monotonic() + 10  # far less than the 99 seconds they would sleep
    while set(left_by(warm)) - before and time.monotonic() < until:
        time.sleep(0.2)  # a killed process is listed until the kernel has taken it away
    assert set(left_by(warm)) <= before


def left_by(warm) -> list[str]:
    """All processes below the one that is copied, and a submission's that have left it for process 1.

    Tests run side by side: a submission below *another* such process that is still there belongs to that one's test.
    """
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,uid,args"], capture_output=True, text=True
    ).stdout.splitlines()[1:]
    rows = {
        int(pid): (int(up), uid, line) for line in listed for pid, up, uid in [line.split()[:3]]
    }

    def owner(pid: int) -> int | None:
        """The nearest process above that copies itself for submissions; None where there is none."""
        up, _, _ = rows.get(pid, (0, "", ""))
        while up in rows:
            above, _, line = rows[up]
            parent = rows[above][2] if above in rows else ""
            if above != 1 and "teach.warm" in line and "teach.warm" not in parent:
                return up
            up = above
        return None

    mine = warm._process.pid
    return [
        line
        for pid, (_, uid, line) in rows.items()
        if owner(pid) == mine or (uid == "900000" and owner(pid) is None)
    ]


def test_a_pickle_is_never_opened(assignment, warm, kind):
    planted = Path("/tmp/pickled-and-run")
    planted.unlink(missing_ok=True)
    attacked(assignment, warm, kind, hostile.ATTACKS["sends a pickle"][0])
    assert not planted.exists()


def test_the_submission_after_an_attack_is_graded_as_if_nothing_had_been(assignment, warm, kind):
    attacked(assignment, warm, kind, hostile.ATTACKS["patches check, numpy and torch"][0])
    attacked(assignment, warm, kind, hostile.ATTACKS["kills everything"][0])
    record = grade.Record("right.ipynb", "digest", "release", seed=1)
    cells = made.code(made.answered(assignment))
    record = grade.run(
        grade.Job(record, cells, str(assignment.folder), Limits(seconds=120), kind), warm
    )
    assert record.earned == assignment.automatic_points and not record.problem


def test_an_attack_on_a_right_answer_loses_nothing_that_was_earned_before_it(
    assignment, warm, kind
):
    right = made.code(made.answered(assignment))
    record = grade.Record("right.ipynb", "digest", "release", seed=1)
    cells = [*right, hostile.ATTACKS["patches check, numpy and torch"][0][0].split("allowances")[0]]
    record = grade.run(
        grade.Job(record, cells, str(assignment.folder), Limits(seconds=120), kind), warm
    )
    assert record.earned <= assignment.automatic_points


def test_where_namespaces_cannot_be_had_grading_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(
        sandbox.Confined,
        "receive",
        lambda self: (_ for _ in ()).throw(sandbox.Ended("unshare: no")),
    )
    with pytest.raises(
        sandbox.SandboxUnavailable,
        match=r"^Submissions cannot be shut in .*unshare: no.* --trusted\.$",
    ):
        sandbox.mode.__wrapped__()


def test_a_user_without_rights_can_shut_submissions_in_too(assignment, warm):
    with warm.run(LIMITS, kind="user") as inside:
        inside.send(
            {"cells": [*hostile.ATTACKS["mounts and writes"][0], "import os\nme = os.getuid()"]}
        )
        inside.receive()
        assert inside.ask({"get": "wrote"}) == {"value": []}


def test_folders_that_submissions_can_read_are_refused(tmp_path):
    with pytest.raises(ValueError, match="which submissions can read"):
        surroundings.refuse_if_visible(Path(os.path.realpath(os.sys.prefix)) / "lib")
    surroundings.refuse_if_visible(tmp_path)


def test_all_releases_can_be_named():
    assert (
        release.identity("a", "b") != release.identity("a", "c")
        and len(release.identity("a", "b")) == 12
    )
