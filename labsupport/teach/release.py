"""An assignment made ready for a class: what students get, what the instructor keeps, each in a folder of its own.

    OUT/student/NN-name.ipynb          or student/ID/NN-name.ipynb, one for each student
    OUT/student/NN-name.pdf            the questions on paper
    OUT/instructor/                    solution.ipynb, autograder.zip, release.json, source/

`release.json` holds the secret that the students' seeds come from: it belongs to nobody else.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import labsupport
from labsupport.teach import autograder, notebooks, questions, roster, source
from labsupport.teach.needs import need
from labsupport.teach.roster import Student

_LETTERS_OF_SECRET = 8


@dataclass(frozen=True)
class Release:
    """A release as it was made. ``seed`` is everybody's where there is no roster."""

    folder: Path
    id: str
    assignment: str
    title: str
    secret: str
    seed: int
    students: list[Student]

    @property
    def source(self) -> Path:
        """The folder with the assignment as it was."""
        return self.folder / "instructor" / "source"

    def seed_of(self, student: Student) -> int:
        return roster.seed_of(student.id, self.assignment, self.secret)

    @property
    def seeds(self) -> list[tuple[Student, int]]:
        """Every student with their seed."""
        return [(student, self.seed_of(student)) for student in self.students]


def identity(digest: str, secret: str) -> str:
    """Twelve letters that name a release: of the same assignment and secret always the same."""
    return hashlib.sha256(f"{digest}\0{secret}".encode()).hexdigest()[:12]


def make(
    assignment: source.Assignment,
    out: Path,
    *,
    students: list[Student] | None = None,
    secret: str = "",
    package: str = "",
    paper: str | None = "auto",
    with_autograder: bool = True,
    say=print,
) -> Release:
    """Write a release to the folder ``out``, whole or not at all.

    Parameters
    ----------
    students
        With a roster, each student's own data.
    secret
        Of an earlier release, for the same seeds; else a new one is drawn.
    package
        What pip installs where labsupport is missing, such as an address of a wheel.
    paper
        The browser that prints the questions; "auto" finds one, None prints none.

    Raises
    ------
    FileExistsError
        ``out`` is not empty.
    ValueError
        A secret that is too short.
    RuntimeError
        A library of the extra ``teach`` is missing, or otter finds the solution wanting.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"{out} is not empty: name a new folder, so that nothing is overwritten."
        )
    if secret and len(secret) < _LETTERS_OF_SECRET:
        raise ValueError(
            f"The secret has {len(secret)} letters; at least {_LETTERS_OF_SECRET} are needed, for nobody to guess it."
        )
    need("nbformat")
    secret = (secret or secrets.token_hex(16)) if students else ""
    seed = _seed_in(assignment)
    made = Release(
        out,
        identity(assignment.digest, secret),
        assignment.name,
        assignment.title,
        secret,
        seed,
        students or [],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".release-", dir=out.parent))
    try:
        _students_part(building / "student", assignment, made, package)
        _instructors_part(building / "instructor", assignment, made)
        questions.write(assignment, building / "student" / assignment.name, browser=paper, say=say)
        if with_autograder:
            autograder.write(assignment, made.seeds, building / "instructor" / "autograder.zip")
        building.chmod(0o755)
        if out.exists():
            out.rmdir()
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return made


def _seed_in(assignment: source.Assignment) -> int:
    found = [
        source.SEED.search(cell.source)
        for cell in assignment.notebook.cells
        if cell.cell_type == "code"
    ]
    seeds = [int(match.group(1)) for match in found if match]
    if len(seeds) != 1:
        raise ValueError(f"{assignment.name} has {len(seeds)} lines 'seed = NUMBER'; it needs one.")
    return seeds[0]


def _students_part(
    folder: Path, assignment: source.Assignment, made: Release, package: str
) -> None:
    folder.mkdir(parents=True)
    write = need("nbformat").write
    if not made.students:
        write(
            notebooks.student(assignment, made.id, package=package),
            folder / f"{assignment.name}.ipynb",
        )
        return
    for student in made.students:
        own = folder / file_name(student.id)
        own.mkdir()
        seed = made.seed_of(student)
        notebook = notebooks.student(
            assignment, made.id, seed=seed, student=student.id, package=package
        )
        write(notebook, own / f"{assignment.name}.ipynb")


def file_name(student: str) -> str:
    """A folder's name for a student's id: the id itself where every system can take it."""
    kept = "".join(
        letter if letter.isalnum() or letter in "-_.@ " else "_" for letter in student
    ).strip(". ")
    return kept if kept == student else f"{kept}-{hashlib.sha256(student.encode()).hexdigest()[:6]}"


def _instructors_part(folder: Path, assignment: source.Assignment, made: Release) -> None:
    (folder / "source").mkdir(parents=True)
    for path in sorted(assignment.folder.iterdir()):
        if path.name == "assignment.ipynb" or path.suffix == ".py":
            shutil.copy(path, folder / "source" / path.name)
    need("nbformat").write(notebooks.solution(assignment), folder / "solution.ipynb")
    said = {
        "id": made.id,
        "assignment": made.assignment,
        "title": made.title,
        "points": assignment.points,
        "secret": made.secret,
        "seed": made.seed,
        "labsupport": labsupport.__version__,
        "made": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "students": [
            {"id": s.id, "name": s.name, "email": s.email, "more": s.more} for s in made.students
        ],
    }
    path = folder / "release.json"
    path.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path.chmod(0o600)


def read(folder: Path) -> Release:
    """The release in ``folder``.

    Raises
    ------
    FileNotFoundError, ValueError
        There is none, or it was changed since.
    """
    path = folder / "instructor" / "release.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no release: there is no instructor/release.json. Make one with labsupport release."
        )
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        students = [Student(s["id"], s["name"], s["email"], s["more"]) for s in said["students"]]
        made = Release(
            folder,
            said["id"],
            said["assignment"],
            said["title"],
            said["secret"],
            int(said["seed"]),
            students,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); make the release again with its secret."
        ) from None
    now = identity(source.read(made.source).digest, made.secret)
    if now != made.id:
        raise ValueError(
            f"{made.source} was changed after the release {made.id} was made: "
            "put it back, or make a new release with the same --secret."
        )
    return made
