"""Every chapter has the skeleton of CONTRIBUTING.md; every check of it can fail."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tools import claims, execute, markup, notebooks, run_times, skeleton
from tools.outputs import MACHINE_PATH

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
CHAPTERS = notebooks.chapters(BOOK)


@pytest.mark.parametrize(
    "path, check",
    [
        pytest.param(path, check, id=f"{path.stem}-{check.__name__}")
        for path in notebooks.every(BOOK)
        for check in skeleton.checks(path)
    ],
)
def test_chapter(path, check):
    problems = list(check(skeleton.Chapter.read(path)))
    assert not problems, f"{path.name}:\n- " + "\n- ".join(problems) + f"\n{check.__doc__}"


# Each check can fail: a sound miniature, and one spoiled copy for each thing an author may forget.


@pytest.fixture
def sound(tmp_path):
    """A miniature chapter without a fault."""
    notebook = notebooks.skeleton("02-miniature", "A miniature")
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
    claim = code(notebook, "check.claim")
    claim.outputs = [
        new_output("stream", name="stdout", text="held      2.1 SB wins [+7.02 points, 15.1 SE]\n")
    ]
    figure = code(notebook, "1 + 1")
    figure.source = 'plots.bars(gap, title="Large batches test worse on every seed")'
    figure.outputs = [new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})]
    alt = "Two columns of five dots: SB between 69 and 71 percent, LB between 62 and 64."
    figure.metadata["mystnb"] = {"image": {"alt": alt}}
    (tmp_path / "setup.md").touch()
    return skeleton.Chapter(tmp_path / "02-miniature.ipynb", notebook)


def code(notebook, text):
    """The first code cell whose source has ``text``."""
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source)


def prose(notebook, text):
    return next(
        cell for cell in notebook.cells if cell.cell_type == "markdown" and text in cell.source
    )


def replace(kind, text, new):
    """A fault: in the first cell of ``kind`` that has ``text``, put ``new`` in its place."""

    def spoil(notebook):
        cell = kind(notebook, text)
        cell.source = cell.source.replace(text, new)

    return spoil


def tag(text, *tags):
    def spoil(notebook):
        code(notebook, text).metadata["tags"] = list(tags)

    return spoil


def add(text):
    """A fault: one more Markdown cell that reads ``text``, after the title."""
    return lambda notebook: notebook.cells.insert(2, new_markdown_cell(text))


def alt(text):
    def spoil(notebook):
        code(notebook, "plots.bars").metadata["mystnb"] = {"image": {"alt": text}}

    return spoil


def outputs(text, *new):
    def spoil(notebook):
        code(notebook, text).outputs = list(new)

    return spoil


def set_metadata(key, value):
    return lambda notebook: notebook.metadata.update({key: value})


def swap_sections(notebook):
    at = [
        i
        for i, cell in enumerate(notebook.cells)
        if cell.source.startswith(("## Summary", "## What this"))
    ]
    notebook.cells[at[0]], notebook.cells[at[1]] = notebook.cells[at[1]], notebook.cells[at[0]]


def drop_exercise(notebook):
    at = next(
        i for i, cell in enumerate(notebook.cells) if cell.source.startswith("### Exercise 2.3")
    )
    del notebook.cells[at : at + 4]


def drop_answer(notebook):
    notebook.cells.remove(prose(notebook, "<summary>Answer"))


def not_run(notebook):
    code(notebook, "check.claim").execution_count = None


def long_cell(notebook):
    code(notebook, "plots.bars").source = "\n".join(f"x{i} = {i}" for i in range(16))


def stdout(text):
    return new_output("stream", name="stdout", text=text)


FAULTS = [
    (skeleton.title_cell, replace(prose, "# A miniature", "A miniature"), "# Title"),
    (
        skeleton.title_cell,
        replace(prose, "*The question of the chapter?*", "The question?"),
        "the question",
    ),
    (skeleton.title_cell, replace(prose, "**You will**", "You will"), "You will"),
    (skeleton.title_cell, replace(prose, "**You need**", "You need"), "You need"),
    (skeleton.title_cell, replace(prose, "(free GPU)", ""), "free GPU"),
    (skeleton.title_cell, replace(prose, "(setup.md)", "(03-other.ipynb)"), "Run it yourself"),
    (
        skeleton.title_cell,
        add("[C](https://colab.research.google.com/github/a/b)"),
        "only a published copy",
    ),
    (skeleton.title_cell, lambda notebook: notebook.cells.pop(0), "first cell must be Markdown"),
    (skeleton.one_setup_cell, tag("import labsupport", "hide-input"), "tagged `setup`"),
    (skeleton.one_setup_cell, tag("import labsupport", "setup"), "must have the tags"),
    (skeleton.one_setup_cell, replace(code, '"-q", package', '"-U", "torch"'), "must start with"),
    (skeleton.one_setup_cell, replace(code, "import torch", "torch = None"), "nothing but imports"),
    (
        skeleton.parts_in_order,
        replace(prose, "## Paper and us", "## The paper"),
        "`## Paper and us`",
    ),
    (skeleton.parts_in_order, swap_sections, "in the order"),
    (skeleton.parts_in_order, add("# Another title"), "exactly one heading"),
    (skeleton.parts_in_order, add("#### Deep"), "skips a heading level"),
    (
        skeleton.predictions,
        replace(prose, "### Predict before you run", "### Predict"),
        "Predict before you run",
    ),
    (skeleton.predictions, replace(prose, "(d) it", "it"), "option (d)"),
    (skeleton.predictions, drop_answer, "no answer"),
    (skeleton.claims, replace(code, "check.claim(", "print("), "check.claim"),
    (skeleton.claims, tag("check.claim", "nbval-ignore-output"), "compared strictly"),
    (skeleton.claims, outputs("check.claim", stdout("nearly held\n")), "more than claims"),
    (
        skeleton.claims,
        outputs(
            "check.claim",
            new_output("execute_result", {"text/plain": "Claim(key='2.1')"}, execution_count=1),
        ),
        "semicolon",
    ),
    (
        skeleton.claims,
        outputs("check.claim", stdout("held      3.1 SB wins [+7 points]\n")),
        "another chapter",
    ),
    (skeleton.exercises, drop_exercise, "needs at least 3"),
    (skeleton.exercises, replace(prose, "### Exercise 2.2:", "### Exercise 2.7:"), "Exercise 2.2"),
    (skeleton.exercises, replace(code, 'check.exercise("2.1"', 'print("2.1"'), "check.exercise"),
    (skeleton.exercises, tag("answer = None"), "tagged `exercise`"),
    (
        skeleton.exercises,
        replace(prose, "<summary>Hint</summary>", "<summary>Help</summary>"),
        "Hint",
    ),
    (
        skeleton.exercises,
        replace(prose, "<summary>Solution</summary>", "<summary>Key</summary>"),
        "Solution",
    ),
    (skeleton.short_cells, long_cell, "has 16 lines"),
    (skeleton.short_cells, tag("plots.bars", "hide-input"), "@title"),
    (skeleton.short_cells, lambda notebook: notebook.cells.append(new_code_cell("\n")), "is empty"),
    (skeleton.alt_text, alt(""), "without alt text"),
    (skeleton.alt_text, alt("A figure"), "too short"),
    (skeleton.alt_text, alt("Large batches test worse, on every seed."), "repeats the title"),
    (skeleton.for_every_front_end, add("```{note}\nx\n```"), "directive"),
    (skeleton.for_every_front_end, add(":::\nx\n:::"), "colon fence"),
    (skeleton.for_every_front_end, add("See {ref}`there`."), "a role"),
    (skeleton.for_every_front_end, add("(there)=\n\ntext"), "a target"),
    (skeleton.for_every_front_end, add("The {{ number }}"), "a substitution"),
    (skeleton.for_every_front_end, add("This is **bold **and not"), "asterisks"),
    (skeleton.for_every_front_end, add("an open `tick"), "backtick"),
    (skeleton.for_every_front_end, add("it costs $ 5"), "dollar"),
    (skeleton.for_every_front_end, add(r"the \alpha of it"), "TeX"),
    (skeleton.for_every_front_end, add("a [link] (x) and [this](that one)"), "link"),
    (skeleton.for_every_front_end, add("a note[^1]"), "footnote"),
    (
        skeleton.for_every_front_end,
        add("<details>\n<summary>Hint</summary>\nText **bold**\n</details>"),
        "blank line",
    ),
    (
        skeleton.for_every_front_end,
        add("<details>\n<summary>A *hint*</summary>\n\nText\n\n</details>"),
        "summary",
    ),
    (skeleton.for_every_front_end, add("<div>\n\nText\n\n</div>"), "<div>"),
    (skeleton.for_every_front_end, add("8. A tenth is enough."), "shown as a list"),
    (skeleton.committed_outputs, not_run, "make outputs"),
    (
        skeleton.committed_outputs,
        outputs("plots.bars", new_output("error", ename="E", evalue="v")),
        "error output",
    ),
    (
        skeleton.committed_outputs,
        outputs("plots.bars", new_output("stream", name="stderr", text="w")),
        "stderr",
    ),
    (
        skeleton.committed_outputs,
        outputs("plots.bars", stdout("saved /home/ann/x.png\n")),
        "/home/ann",
    ),
    (
        skeleton.committed_outputs,
        replace(code, "answer = None", 'answer = "/root/data"'),
        "/root/data",
    ),
    (skeleton.metadata, set_metadata("accelerator", "GPU"), "accelerator"),
    (skeleton.metadata, set_metadata("widgets", {"application/x": {}}), "no state"),
    (skeleton.links, add("[next](03-missing.ipynb)"), "leads nowhere"),
    (skeleton.links, add("[here](#no-such-heading)"), "names no heading"),
]


@pytest.mark.parametrize("check", skeleton.CHECKS, ids=lambda check: check.__name__)
def test_a_sound_chapter_passes(sound, check):
    assert list(check(sound)) == []


@pytest.mark.parametrize("check, spoil, says", FAULTS)
def test_a_fault_is_found(sound, check, spoil, says):
    spoil(sound.notebook)
    notebooks.write(sound.notebook, sound.path)
    assert any(says in problem for problem in check(skeleton.Chapter.read(sound.path)))


def test_every_check_has_a_fault():
    assert {check for check, _, _ in FAULTS} == set(skeleton.CHECKS)


@pytest.mark.parametrize(
    "text",
    [
        "The box $|z_i| \\le \\epsilon\\,(|x_i| + 1)$ and `a_b * c`, *so* it **is**.",
        "$$\n\\phi = 100\\,\\frac{a_1}{b_2}\n$$",
        "| a | b |\n|---|---:|\n| 1 | 2 |",
        "<details>\n<summary>Hint</summary>\n\nUse $x$ and `f(x)`.\n\n```python\nx = {'a': 1}\n```\n\n</details>",
        "Use `{'a': 1}` and see [the glossary](glossary.md).",
        "A line  \nbroken<br>twice, x<sub>0</sub>.",
    ],
)
def test_sound_markdown_passes(text, sound):
    add(text)(sound.notebook)
    assert list(skeleton.for_every_front_end(skeleton.Chapter(sound.path, sound.notebook))) == []


# The book as a whole


def toc_entries():
    """Every file the table of contents names, globs resolved, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    files = [toc["root"]] + [entry["file"] for entry in entries if "file" in entry]
    globs = [entry["glob"] for entry in entries if "glob" in entry]
    return files + [
        str(path.relative_to(ROOT).with_suffix(""))
        for glob in globs
        for path in sorted(ROOT.glob(glob))
    ]


def test_the_contents_name_every_page_once():
    files = [*BOOK.glob("*.md"), *BOOK.glob("*.ipynb")]
    pages = sorted(str(path.relative_to(ROOT).with_suffix("")) for path in files)
    assert sorted(toc_entries()) == pages


def test_notebooks_are_named_as_chapters_or_are_known_pages():
    pages = [BOOK / f"{name}.ipynb" for name in notebooks.PAGES]
    assert sorted(BOOK.glob("*.ipynb")) == [*CHAPTERS, *pages] == notebooks.every(BOOK)
    numbers = [path.name[:2] for path in CHAPTERS]
    assert len(set(numbers)) == len(numbers), "two chapters share a number"


#: Links of the README that the repository's host makes its own: they name no file and no repository.
HOST_PAGES = {"../../deployments/github-pages", "../../releases/latest", "../../issues/new/choose"}


@pytest.mark.parametrize(
    "path", sorted([*BOOK.glob("*.md"), *ROOT.glob("*.md")]), ids=lambda path: path.name
)
def test_links_in_pages_resolve(path):
    text = markup.without_code(path.read_text(encoding="utf-8"))
    targets = set(re.findall(r"(?<!\\)\]\(([^)\s]+)\)", text)) - HOST_PAGES
    assert not [problem for target in targets if (problem := markup.broken(target, path))]


@pytest.mark.parametrize(
    "path", sorted([*BOOK.glob("*.md"), *ROOT.glob("*.md")]), ids=lambda path: path.name
)
def test_pages_name_no_path_of_one_machine(path):
    assert not MACHINE_PATH.findall(path.read_text(encoding="utf-8"))


def test_the_committed_claims_are_those_the_chapters_print():
    rows = (
        json.loads(claims.COMMITTED.read_text(encoding="utf-8"))["claims"]
        if claims.COMMITTED.exists()
        else []
    )
    committed = {row["key"]: ("held" if row["held"] else "NOT HELD", row["says"]) for row in rows}
    assert committed == claims.printed(), "after `make outputs`, run: make claims"


def test_only_the_evidence_of_a_claim_is_blinded():
    config = configparser.ConfigParser()
    config.read(ROOT / "tests" / "nbval-sanitize.cfg")
    rules = [(config[name]["regex"], config[name]["replace"]) for name in config.sections()]

    def blind(text):
        for regex, new in rules:
            text = re.sub(regex, new, text)
        return text

    line = "held      2.1 SB wins [+7.02 points, 15.1 standard errors]\n"
    assert (
        blind(line)
        == blind(line.replace("7.02", "6.98"))
        != blind(line.replace("held     ", "NOT HELD "))
    )
    assert blind(line) != blind(line.replace("SB", "LB"))
    assert blind("a table [1.0, 2.0]\n") == "a table [1.0, 2.0]\n"


def test_the_configuration_runs_nothing_and_loads_nothing_from_elsewhere():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert config["execute"]["execute_notebooks"] == "off"
    assert config["only_build_toc_files"] is True
    assert not {"repository", "launch_buttons"} & set(config), (
        "the build writes the address, `tools.published`"
    )


def test_the_example_of_the_readme_runs(capsys):
    example = re.search(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S
    ).group(1)
    assert "epochs=120" in example and "seeds=5" in example
    exec(example.replace("epochs=120", "epochs=1").replace("seeds=5", "seeds=2"), {})
    assert re.search(r"\d\.\d+", capsys.readouterr().out)


# The tools


def test_normalize_drops_what_front_ends_add():
    notebook = notebooks.skeleton("02-miniature", "A miniature")
    notebook.metadata["widgets"] = {"application/a": {"state": {"x": 1}}, "application/b": {}}
    notebook.metadata["colab"] = {"gpuType": "T4"}
    cell = code(notebook, "check.claim")
    cell.metadata.update({"id": "abc", "outputId": "1", "tags": ["keep"]})
    cell.execution_count = 7
    cell.outputs = [stdout("a"), stdout("b\n")]
    notebooks.normalize(notebook)
    assert list(notebook.metadata["widgets"]) == ["application/a"]
    assert notebook.metadata["colab"] == {"provenance": []}
    assert cell.metadata == {"tags": ["keep"]}
    assert cell.execution_count == 7
    assert [out.text for out in cell.outputs] == ["ab\n"]


def test_a_failing_cell_names_notebook_cell_and_traceback(tmp_path, capfd):
    notebook = notebooks.new_notebook(cells=[new_code_cell("x = 1"), new_code_cell("x / 0")])
    path = tmp_path / "01-broken.ipynb"
    notebooks.write(notebook, path)
    before = path.read_bytes()
    assert execute.main(["--in-place", str(path), "--jobs", "1"]) == 1
    shown = capfd.readouterr()
    assert "FAILED" in shown.out
    assert "01-broken.ipynb, cell 1:" in shown.err and "ZeroDivisionError" in shown.err
    assert path.read_bytes() == before


def test_running_a_notebook_again_forgets_its_old_widgets(tmp_path):
    notebook = notebooks.new_notebook(
        cells=[new_code_cell("1")], metadata={"widgets": {"a": {"state": {"x": 1}}}}
    )
    notebooks.write(notebook, tmp_path / "01-old.ipynb")
    assert execute.main(["--in-place", str(tmp_path / "01-old.ipynb"), "--jobs", "1"]) == 0
    assert "widgets" not in skeleton.Chapter.read(tmp_path / "01-old.ipynb").notebook.metadata


def test_the_gathering_chapter_runs_last(tmp_path, capfd):
    for name in ("09-last", "01-first", "02-second"):
        notebooks.write(
            notebooks.new_notebook(cells=[new_code_cell("1")]), tmp_path / f"{name}.ipynb"
        )
    assert execute.main(["--in-place", *map(str, notebooks.chapters(tmp_path)), "--jobs", "2"]) == 0
    names = re.findall(r"\d\d-\w+", capfd.readouterr().out)
    assert names[-1] == "09-last"


def test_the_page_of_run_times_is_what_was_measured():
    assert run_times.PAGE.read_text(encoding="utf-8") == run_times.page(run_times.read())


def test_measuring_a_machine_again_replaces_its_entry():
    where = {"machine": "2 CPU cores", "processor": "a", "scale": "laptop"}
    versions = {"date": "d", "commit": "c", "python": "3", "torch": "2", "jobs": 2}
    entry = {
        "provenance": where | versions,
        "seconds": {"01-one-two": [4.6, 2.0]},
        "wall_seconds": [9, 3],
    }
    other = entry | {"provenance": where | versions | {"machine": "T4"}}
    newer = entry | {"wall_seconds": [8, 3]}
    assert run_times.merge([entry, other], newer) == [other, newer]
    assert "| [One two](01-one-two.ipynb) | 5 s | 2 s |" in run_times.page([entry])


def test_a_chapter_opened_alone_has_its_own_column():
    where = {"machine": "2 CPU cores", "processor": "a", "scale": "laptop"}
    versions = {"date": "d", "commit": "c", "python": "3", "torch": "2", "jobs": 2}
    seconds = {"01-one-two": [4.6, 2.0], "02-three": [5.0, 1.0]}
    entry = {"provenance": where | versions, "seconds": seconds, "wall_seconds": [9, 3]}
    (with_alone,) = run_times.add_alone([entry], where, {"01-one-two": 61.2})
    page = run_times.page([with_alone])
    assert "| [One two](01-one-two.ipynb) | 5 s | 2 s | 61 s |" in page
    assert "| [Three](02-three.ipynb) | 5 s | 1 s | |" in page
    assert "opened alone" in page and "opened alone" not in run_times.page([entry])
    with pytest.raises(run_times.Refused, match="Run: make run-times"):
        run_times.add_alone([], where, {})


def test_a_kernel_that_finds_its_port_taken_is_started_again():
    deaths = iter([RuntimeError("Kernel died before replying to kernel_info")] * 2)

    def start():
        for death in deaths:
            raise death
        return "running"

    assert execute.once_more(start) == "running"
    with pytest.raises(RuntimeError, match="every time"):
        execute.once_more(lambda: (_ for _ in ()).throw(RuntimeError("dies every time")))


def test_a_kernel_that_dies_in_a_cell_is_not_started_again():
    tries = []

    def start():
        tries.append(1)
        raise execute.DeadKernelError("out of memory")

    with pytest.raises(execute.DeadKernelError):
        execute.once_more(start)
    assert len(tries) == 1
