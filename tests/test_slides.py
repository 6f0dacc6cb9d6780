"""Slides and figures: what is shown, what is said, and nothing fetched from another host."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tools import commands, decks, execute, figures, files, isolation, notebooks, slides, vendor
from tools.chapters import Chapter
from tools.files import Refused

BOOK = Path(__file__).resolve().parent.parent / "book"


def picture() -> str:
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "white").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def figure(source: str = "# @title Figure: the gap\nplot()", **data):
    shown = new_output("display_data", data={"image/png": picture(), **data})
    metadata = {"tags": ["hide-input"], "mystnb": {"image": {"alt": "Two dots & a line."}}}
    return new_code_cell(source, outputs=[shown], metadata=metadata)


def printed(source: str, text: str, **metadata):
    return new_code_cell(source, outputs=[new_output("stream", text=text)], metadata=metadata)


CELLS = [
    new_markdown_cell("# A chapter\n\n*Why?*\n\n[Run it yourself](setup.md)"),
    printed("import torch", "cpu\n", tags=["setup", "hide-input"]),
    new_markdown_cell("## The idea\n\nSee [two](02-two.ipynb#x).\n\nMore prose.\n\n$$ a = b $$"),
    printed("def step(x):\n    return x - 1", "stepped\n"),
    printed("print(1)", "a short result\n"),
    new_markdown_cell("Only prose.\n\n### Predict before you run\n\nWhat?\n\n(a) this\n\n(b) that"),
    printed("print(2)", "what happened\n"),
    figure(),
    new_markdown_cell(
        "<details>\n<summary>Answer</summary>\n\n(b). It did.\n\n- (a) No.\n\n</details>\n\n## Claims\n\nFive seeds."
    ),
    printed("for key in keys:\n    check.claim(key)", "held  1.1\n"),
    new_markdown_cell("## Exercises\n\nTry."),
    new_code_cell("answer = 1", metadata={"tags": ["exercise"]}),
    new_markdown_cell("## Summary\n\n- One.\n\n- Two."),
]


def small() -> Chapter:
    return Chapter(
        Path("01-small.ipynb"), nbformat.from_dict(new_notebook(cells=CELLS, metadata={}))
    )


def by_kind(chapter: Chapter) -> list[tuple[str, str]]:
    return [
        (cell.metadata.slideshow.slide_type, cell.source)
        for cell in slides.deck(chapter.notebook).cells
    ]


class Slides(HTMLParser):
    """What of a deck is on the slides and what in the notes, and what it fetches."""

    def __init__(self, text: str):
        super().__init__()
        self.fetched: list[str] = []
        self.shown, self.said, self._notes = "", "", False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self._notes |= tag == "aside"
        if tag != "a":
            self.fetched += [given[name] for name in ("src", "href", "srcset") if name in given]

    def handle_endtag(self, tag):
        self._notes &= tag != "aside"

    def handle_data(self, data):
        if self._notes:
            self.said += data
        else:
            self.shown += data


# The rule


def test_the_rule_chooses_title_ideas_algorithms_questions_figures_answers_claims_and_summary():
    kinds = by_kind(small())
    assert ("slide", "# A chapter\n\n*Why?*") in kinds
    assert ("notes", "More prose.") not in kinds, "the paragraph before a formula goes with it"
    assert ("notes", "Only prose.") in kinds
    assert ("subslide", "### Predict before you run\n\nWhat?\n\n(a) this\n\n(b) that") in kinds
    assert ("subslide", "### The gap") in kinds
    assert ("subslide", "### Answer\n\n(b). It did.") in kinds and ("notes", "- (a) No.") in kinds
    text = "\n".join(source for _, source in kinds)
    assert "Try." not in text and "answer = 1" not in text and "import torch" not in text


def test_a_short_result_joins_what_it_belongs_to_and_never_a_question():
    kinds = {source: kind for kind, source in by_kind(small())}
    assert kinds["def step(x):\n    return x - 1"] == "-" == kinds["print(1)"]
    assert kinds["print(2)"] == "subslide"


def test_an_authors_own_slide_type_is_kept_and_the_cell_taken_whole():
    text = "## Mine\n\nOne.\n\nTwo."
    own = new_markdown_cell(text, metadata={"slideshow": {"slide_type": "fragment"}})
    left = new_markdown_cell("## Not this", metadata={"slideshow": {"slide_type": "skip"}})
    ruled = new_markdown_cell("## Ruled\n\nOne.", metadata={"slideshow": {"slide_type": "-"}})
    chapter = Chapter(Path("01-own.ipynb"), new_notebook(cells=[CELLS[0], own, left, ruled]))
    assert by_kind(chapter)[1:] == [
        ("fragment", text),
        ("skip", "## Not this"),
        ("slide", "## Ruled\n\nOne."),
    ]


def test_the_chapter_itself_is_left_as_it_is():
    chapter = small()
    before = nbformat.writes(chapter.notebook)
    slides.deck(chapter.notebook)
    assert nbformat.writes(chapter.notebook) == before


@pytest.mark.parametrize("path", notebooks.chapters(BOOK), ids=lambda path: path.stem)
def test_every_figure_question_and_answer_of_a_chapter_has_its_slide(path):
    chapter = Chapter.read(path)
    sources = [source for kind, source in by_kind(chapter) if kind == "subslide"]
    asked = sum(cell.source.count("### Predict before you run") for _, cell in chapter.markdown)
    answers = sum(cell.source.count("<summary>Answer</summary>") for _, cell in chapter.markdown)
    assert sum(source.startswith("### Predict") for source in sources) == asked > 0
    assert sum(source.startswith("### Answer") for source in sources) == answers
    shown = sum("image/png" in str(cell.get("outputs")) for _, cell in chapter.code)
    made = slides.deck(chapter.notebook).cells
    assert sum("image/png" in str(cell.get("outputs")) for cell in made) == shown
    assert not any("<summary>" in cell.source for cell in made)


# The deck


@pytest.fixture(scope="module")
def real() -> str:
    return decks.page(Chapter.read(BOOK / "04-measuring-sensitivity.ipynb"))


def test_a_small_deck_shows_and_says_what_it_should():
    page = Slides(decks.page(small()))
    for words in ("A chapter", "def step", "a short result", "What?", "held  1.1", "It did."):
        assert words in page.shown
    for words in ("Only prose.", "(a) No."):
        assert words in page.said and words not in page.shown
    hidden = "import torch", "plot()", "print(2)", "check.claim(key)", "Try.", "Run it yourself"
    for words in hidden:
        assert words not in page.shown + page.said


def test_a_figure_of_a_deck_has_its_description_and_links_lead_to_decks():
    text = decks.page(small())
    assert 'alt="Two dots &amp; a line."' in text
    assert 'href="02-two.html"' in text and "setup.md" not in text


@pytest.mark.parametrize("which", ["small", "real"])
def test_a_deck_fetches_nothing_from_another_host(which, real):
    text = decks.page(small()) if which == "small" else real
    fetched = Slides(text).fetched
    assert any(one.startswith("offline/reveal.js/") for one in fetched)
    assert [one for one in fetched if not one.startswith(("offline/", "data:"))] == []
    assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//|import\(", text)


def test_the_scripts_that_a_deck_names_are_those_that_are_pinned(real):
    wanted = {one for one in Slides(real).fetched if one.startswith("offline/")}
    for package in (vendor.REVEAL, *vendor.BOOK):
        folder = f"offline/{package.folder}/"
        wanted -= {
            one
            for one in wanted
            if one.startswith(folder)
            and any(re.fullmatch(p, one.removeprefix(folder)) for p in package.files)
        }
    assert wanted == set()


def test_decks_are_written_with_their_list_and_a_folder_of_ones_own_is_left_alone(
    tmp_path, monkeypatch
):
    scripts = tmp_path / "vendor" / "html" / "offline" / "mathjax"
    scripts.mkdir(parents=True)
    monkeypatch.setattr(vendor, "fill", lambda target: tmp_path / "vendor")
    monkeypatch.setattr(vendor, "unpack", lambda package, target: target)
    notebook = tmp_path / "01-small.ipynb"
    nbformat.write(small().notebook, notebook)
    target = decks.write([notebook], tmp_path / "slides")
    assert {path.name for path in target.iterdir()} == {
        "01-small.html",
        "index.html",
        "offline",
        files.MARK,
    }
    assert '<a href="01-small.html">A chapter</a>' in (target / "index.html").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "talk.html").write_text("years of work")
    with pytest.raises(Refused, match="was not made by this tool"):
        decks.write([notebook], tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["talk.html"]


# Figures


def test_figures_carry_their_titles_and_the_picture_is_the_same(tmp_path):
    svg = '<?xml version="1.0"?>\n<svg width="4"><g/></svg>'
    chapter = Chapter(
        Path("02-made.ipynb"), new_notebook(cells=[figure(**{"image/svg+xml": svg}), figure()])
    )
    assert figures.write([chapter], tmp_path / "figures") == 2
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == [
        files.MARK,
        "02-01-the-gap.png",
        "02-01-the-gap.svg",
        "02-02-the-gap.png",
        "index.html",
    ]
    drawn = (tmp_path / "figures" / "02-01-the-gap.svg").read_text()
    assert '<svg width="4"><title>The gap</title><desc>Two dots &amp; a line.</desc><g/>' in drawn
    with Image.open(tmp_path / "figures" / "02-01-the-gap.png") as image:
        assert image.text == {"Title": "The gap", "Description": "Two dots & a line."}
        with Image.open(io.BytesIO(base64.b64decode(picture()))) as before:
            assert image.tobytes() == before.tobytes()
    assert "The gap: <a href=" in (tmp_path / "figures" / "index.html").read_text()


def test_a_kernel_that_is_asked_draws_both_forms(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    isolation._name_kernel(tmp_path / "JUPYTER_DATA_DIR")
    path = tmp_path / "01-drawn.ipynb"
    source = "# @title Figure: a line\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), path)
    assert execute.run(path, kernel=figures.FORMATS).failure == ""
    (one,) = figures.figures(Chapter.read(path))
    assert one.title == "A line" and set(one.content) == {"png", "svg"}
    assert b"<title>A line</title>" in one.content["svg"]


def test_what_is_no_chapter_has_no_figures(monkeypatch):
    monkeypatch.setattr(execute, "copy_book", lambda target: [BOOK / "01-minibatch-sgd.ipynb"])
    with pytest.raises(Refused, match="talk.ipynb is no chapter of this book"):
        figures.main([Path("talk.ipynb")], 1, "smoke")


def test_both_commands_take_the_notebooks_that_are_named():
    for name in ("slides", "figures"):
        with pytest.raises(Refused, match="No notebook is called 'book/99'"):
            commands.read([name, "--nb", "book/99"])
