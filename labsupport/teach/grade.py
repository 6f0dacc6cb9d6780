"""A folder of submissions, graded: each in a process of its own that is shut in, judged from outside, and written down.

A submission's record is written as soon as it is judged, so that a run that was stopped goes on where it was. Every
submission gets a row, whatever it did.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from labsupport.teach import roster, sandbox, source, submission, surroundings, wire
from labsupport.teach.judge import judge
from labsupport.teach.release import Release
from labsupport.teach.surroundings import Limits

#: Times that a submission is tried again if the grader itself stopped.
TRIES = 2


@dataclass
class Record:
    """What is known of one submission; ``problem``: why it could not be graded, ``flags``: what a person should see."""

    submission: str
    digest: str
    release: str
    student: str = ""
    name: str = ""
    email: str = ""
    seed: int = 0
    results: list[dict] = field(default_factory=list)
    problem: str = ""
    flags: list[str] = field(default_factory=list)
    failed_cells: list[list] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: int = 0
    output: str = ""

    @property
    def earned(self) -> float:
        """Points of all automatic tests."""
        return sum(result["earned"] for result in self.results)


@dataclass(frozen=True)
class Job:
    """One submission to be graded, for a worker."""

    record: Record
    cells: list[str]
    folder: str
    limits: Limits
    kind: str


def grade(
    release: Release,
    folder: Path,
    records: Path,
    *,
    limits: Limits,
    trusted: bool = False,
    jobs: int = 1,
    again: bool = False,
    progress: Callable[[Record, int, int], None] | None = None,
) -> list[Record]:
    """Grade every submission in ``folder``; keep a record of each in the folder ``records``.

    Raises
    ------
    SandboxUnavailable
        Submissions cannot be shut in here, and are not said to be trusted.
    ValueError, FileNotFoundError
        The folder is empty or not there, or lies where submissions could read it.
    """
    kind = "trusted" if trusted else sandbox.mode()
    assignment = source.read(release.source)
    found = submission.find(folder)
    if not trusted:
        for place in (release.folder, folder, records.parent):
            surroundings.refuse_if_visible(place)
    records.mkdir(parents=True, exist_ok=True)
    made, waiting = [], []
    for one in found:
        record, cells = _prepared(one, release, assignment)
        kept = None if again else _kept(records, record)
        if kept is None and not record.problem:
            waiting.append(Job(record, cells, str(release.source), limits, kind))
        made.append(kept or record)
    done = len(made) - len(waiting)
    finished = {}
    for record in _all(waiting, jobs):
        _keep(records, record)
        finished[record.submission] = record
        done += 1
        if progress:
            progress(record, done, len(made))
    made = [finished.get(record.submission, record) for record in made]
    for record in made:
        if not record.results and record.problem:
            record.results = nothing(assignment, record.problem)
            _keep(records, record)
    _flag_copies(made)
    return made


def nothing(assignment: source.Assignment, why: str) -> list[dict]:
    """No point for any test."""
    return [
        {"test": t.name, "question": t.question, "points": t.points, "earned": 0.0, "why": why}
        for t in assignment.tests
    ]


def _prepared(
    one: submission.Submission, release: Release, assignment: source.Assignment
) -> tuple[Record, list[str]]:
    """A record with all that is known before the submission is run, and the cells to run."""
    record = Record(one.name, one.digest, release.id, problem=one.problem)
    seed = release.seed
    if release.students:
        student, doubt = roster.whose(one.name, one.student, release.students)
        record.flags += [doubt] if doubt else []
        if student:
            record.student, record.name, record.email = student.id, student.name, student.email
            seed = release.seed_of(student)
        elif not record.problem:
            record.problem = f"Not graded: {doubt[0].lower()}{doubt[1:]} Give the file the student's id as its name."
    cells, said = submission.with_seed(one.cells, seed)
    if not one.problem and any(number != seed for number in said):
        record.flags.append(
            f"The notebook's seed is {said[0]}; it was graded with the student's own, {seed}."
        )
    if not one.problem and one.release and one.release != release.id:
        record.flags.append(f"It was made from release {one.release}; this is {release.id}.")
    elif not one.problem and not one.release:
        record.flags.append("It does not say which release it was made from.")
    record.seed = seed
    record.written = submission.written(one, assignment)
    return record, cells


# -- records -----------------------------------------------------------------------------------------------------


def _place(records: Path, record: Record) -> Path:
    return records / f"{sha256(record.submission.encode()).hexdigest()[:20]}.json"


def _kept(records: Path, record: Record) -> Record | None:
    """What an earlier run found for the very same file, student and release."""
    try:
        found = Record(**json.loads(_place(records, record).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    same = ("submission", "digest", "release", "student", "seed")
    unchanged = all(getattr(found, key) == getattr(record, key) for key in same)
    return found if unchanged and found.results and not record.problem else None


def _keep(records: Path, record: Record) -> None:
    path = _place(records, record)
    with tempfile.NamedTemporaryFile(
        "w", dir=records, suffix=".partial", delete=False, encoding="utf-8"
    ) as file:
        json.dump(asdict(record), file, ensure_ascii=False)
    os.replace(file.name, path)


def _flag_copies(made: list[Record]) -> None:
    """Two submissions of one student, and one file handed in by two."""
    of_student = Counter(record.student for record in made if record.student)
    of_digest = Counter(record.digest for record in made if record.digest)
    for record in made:
        flags = [
            flag
            for flag in record.flags
            if not flag.startswith(("This student has", "The same file"))
        ]
        if of_student[record.student] > 1:
            flags.append(
                f"This student has {of_student[record.student]} submissions; the best one counts."
            )
        if of_digest[record.digest] > 1:
            flags.append(f"The same file was handed in {of_digest[record.digest]} times.")
        record.flags = flags


# -- workers -----------------------------------------------------------------------------------------------------


def _all(waiting: list[Job], jobs: int):
    """The records of all jobs, as they are done; a worker that dies takes no other submission with it."""
    left, tries = waiting, 0
    while left and tries <= TRIES:
        failed = []
        # after a death one at a time, so that only the submission that did it is concerned
        workers = min(jobs, len(left)) if tries == 0 else 1
        slots = multiprocessing.get_context("spawn").Value("i", 0)
        with ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _begin, (slots,)
        ) as pool:
            running = {pool.submit(_graded, job): job for job in left}
            for future in as_completed(running):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    failed.append(running[future])
        left, tries = failed, tries + 1
    for job in left:
        job.record.problem = (
            "Not graded: the grader stopped while it was at it. Look at this submission by hand."
        )
        yield job.record


_WARM: list[sandbox.Warm] = []
_SLOT = 0


def _begin(slots) -> None:
    """Once in each worker: its number, and its own process to copy."""
    global _SLOT
    import torch

    torch.set_num_threads(1)
    with slots.get_lock():
        slots.value += 1
        _SLOT = slots.value


def _graded(job: Job) -> Record:
    """Run and judge one submission in this worker."""
    if not _WARM:
        _WARM.append(sandbox.Warm())
    try:
        return run(job, _WARM[0], _SLOT)
    except (BrokenPipeError, ConnectionError):  # the process to copy is gone: make another
        _WARM[:] = [sandbox.Warm()]
        return run(job, _WARM[0], _SLOT)


def run(job: Job, warm: sandbox.Warm, slot: int = 0) -> Record:
    """Run and judge one submission; what it did wrong is in the record."""
    record, assignment = job.record, source.read(Path(job.folder))
    with warm.run(job.limits, kind=job.kind, slot=slot) as inside:
        try:
            inside.send({"cells": job.cells})
            record.failed_cells = _cells_that_failed(inside.receive())
            results, record.problem = judge(assignment, inside, record.seed)
        except (sandbox.Ended, wire.WireError) as error:
            results, record.problem = None, str(error)
    report = inside.report
    record.seconds, record.cpu_s, record.peak_mb = report.seconds, report.cpu_s, report.peak_mb
    record.output = report.output
    if report.why and not record.problem:
        record.problem = report.why
    record.results = (
        nothing(assignment, record.problem)
        if results is None
        else [asdict(result) for result in results]
    )
    if record.problem:
        record.flags.append("It did not end in an orderly way: look at it by hand.")
    return record


def _cells_that_failed(message: dict) -> list[list]:
    failed = message.get("failed")
    if isinstance(failed, list) and len(failed) < 10_000 and all(map(_is_failure, failed)):
        return [[number, why[:300]] for number, why in failed]
    raise wire.WireError("The first answer does not say which cells failed.")


def _is_failure(item) -> bool:
    """A cell's number, and what it said."""
    pair = isinstance(item, list) and len(item) == 2
    return pair and type(item[0]) is int and isinstance(item[1], str)
