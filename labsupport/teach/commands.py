"""The instructor's commands: release, grade, inventory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(release)
    app.command()(grade)
    app.command()(inventory)


def release(
    what: Annotated[list[str], typer.Argument(help="04, an assignment's name, or: chapter 04")],
    out: Annotated[Path, typer.Option(help="a new folder")],
    per_student: Annotated[
        Path | None, typer.Option(help="a roster (CSV with a column id): own data for each student")
    ] = None,
    secret: Annotated[
        str, typer.Option(help="of an earlier release, for the same data; or a file that holds it")
    ] = "",
    package: Annotated[
        str, typer.Option(help="what pip installs on Colab, such as the address of a wheel")
    ] = "",
    assignments: Annotated[
        Path | None, typer.Option(help="the folder of assignments, if not the repository's")
    ] = None,
    browser: Annotated[
        str, typer.Option(help="Chromium or Chrome, to print the questions; none prints nothing")
    ] = "auto",
    autograder: Annotated[
        bool, typer.Option(help="make the zip for Gradescope and otter run")
    ] = True,
    book: Annotated[
        Path | None,
        typer.Option(help="for chapter: the folder of chapters, if not the repository's"),
    ] = None,
    answers: Annotated[
        bool, typer.Option(help="for chapter: keep the answers to the predictions")
    ] = True,
) -> None:
    """Make an assignment ready for a class, or a chapter for the classroom."""
    from labsupport.teach import release as releases
    from labsupport.teach import roster, source

    if what[0] == "chapter" and len(what) == 2:
        from labsupport.teach import chapter

        path = chapter.release(what[1], out, book=book or _repository("book"), answers=answers)
        print(f"For the classroom: {path}")
        return
    if len(what) != 1:
        raise ValueError(
            f"Release what? Given: {' '.join(what)}. Possible: an assignment (04), or: chapter 04."
        )
    found = source.read(source.find(what[0], assignments or _repository("assignments")))
    students = roster.read(per_student) if per_student else None
    if secret and Path(secret).is_file():
        secret = Path(secret).read_text(encoding="utf-8").strip()
    made = releases.make(
        found,
        out,
        students=students,
        secret=secret,
        package=package,
        paper=None if browser == "none" else browser,
        with_autograder=autograder,
    )
    whose = (
        f"{len(made.students)} students, each with their own data"
        if made.students
        else "everyone, with the same data"
    )
    print(
        f"Release {made.id} of {made.title}: {found.points:g} points, for {whose}.\n"
        f"  {out}/student      to hand out\n  {out}/instructor   to keep: it holds the solution"
        + (" and the secret" if made.students else "")
    )


def grade(
    folder: Annotated[
        Path, typer.Argument(help="a release: the folder that labsupport release made")
    ],
    submissions: Annotated[Path, typer.Argument(help="the folder that holds the submissions")],
    out: Annotated[Path, typer.Option(help="the table of grades")],
    jobs: Annotated[
        int, typer.Option(help="submissions graded side by side; 0: one for each core")
    ] = 0,
    seconds: Annotated[float, typer.Option(help="that one submission may take")] = 300,
    memory: Annotated[int, typer.Option(help="MB that one submission may hold")] = 3000,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="do not shut submissions in: they can do what you can")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="grade everything anew, not only what is new")
    ] = False,
) -> None:
    """Grade a folder of submissions, each shut in, and write the grades; go on where an earlier run was stopped."""
    from labsupport.teach import grade as grading
    from labsupport.teach import release as releases
    from labsupport.teach import source, tables
    from labsupport.teach.surroundings import Limits

    if out.suffix.lower() != ".csv":
        raise ValueError(f"--out is {out}; the table of grades is a file that ends in .csv.")
    for name, value in (("seconds", seconds), ("memory", memory)):
        if not value > 0:
            raise ValueError(f"--{name} is {value}; it must be positive.")
    made = releases.read(folder)
    assignment = source.read(made.source)
    tables.read_marks(
        out.with_suffix(".written.csv"), assignment
    )  # what is wrong there is said before the work
    records = grading.grade(
        made,
        submissions,
        out.with_suffix(".records"),
        trusted=trusted,
        again=again,
        limits=Limits(seconds=seconds, memory_mb=memory),
        jobs=jobs or os.cpu_count() or 1,
        progress=lambda record, done, all_: print(
            _line(record, done, all_, assignment), flush=True
        ),
    )
    written = tables.write(records, assignment, made, out)
    looked = sum(bool(record.flags) for record in records)
    print(
        f"{len(records)} submissions, {sum(bool(r.problem) for r in records)} with a problem, {looked} to look at."
    )
    print("\n".join(f"  {path}" for path in written))


def inventory(
    before: Annotated[
        Path,
        typer.Argument(help="answers before the course: a CSV with the columns id, 1, 2, ... 12"),
    ],
    after: Annotated[Path | None, typer.Argument(help="answers after it")] = None,
    key: Annotated[Path | None, typer.Option(help="the key, if not the repository's")] = None,
) -> None:
    """Score the concept inventory: what a class knew, its normalized gain, and the misconceptions that are left."""
    from labsupport.teach import inventory as scoring

    items = scoring.key(key or _repository("assignments") / "inventory" / "key.yaml")
    last = scoring.read(after, items) if after else None
    print(scoring.report(items, scoring.read(before, items), last))


def _line(record, done: int, all_: int, assignment) -> str:
    points = f"{record.earned:g} of {assignment.automatic_points:g}"
    took = f"{record.seconds:5.1f} s  {record.peak_mb:>5} MB"
    return (
        f"{done:>4} of {all_}  {took}  {points:>9}  {record.submission}  {record.problem}".rstrip()
    )


def _repository(name: str) -> Path:
    """The folder of this name in the repository that one is in, or that the package lies in."""
    here = Path.cwd()
    for place in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (place / name).is_dir() and (place / "labsupport").is_dir():
            return place / name
    raise FileNotFoundError(
        f"The folder {name} is not here. It is part of the repository: run this in a clone of it, or name it."
    )
