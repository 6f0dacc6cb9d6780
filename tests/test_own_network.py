"""The page *Your own network* keeps what it promises: short code, two lines of numbers, functions that are there."""

import re
from pathlib import Path

import pytest

from tools.chapters import Chapter

PAGE = Chapter.read(Path(__file__).resolve().parent.parent / "book" / "your-own-network.ipynb")
CODE = [cell for _, cell in PAGE.code][1:]  # without the setup cell
PROSE = "\n".join(cell.source for _, cell in PAGE.markdown)
LINE = re.compile(r"B = +(\d+): loss ([\d.]+), phi (\d+) %, largest eigenvalue (\d+)")


def test_the_page_prints_a_line_for_each_batch_size_at_about_one_loss():
    printed = LINE.findall("".join(out.get("text", "") for cell in CODE for out in cell.outputs))
    assert [row[0] for row in printed] == ["20", "100"]
    losses = [float(row[1]) for row in printed]
    assert max(losses) <= 0.5 and max(losses) - min(losses) < 0.1
    assert all(int(row[2]) > 0 and int(row[3]) > 0 for row in printed)


def test_its_code_is_short_and_its_figure_is_drawn_by_a_cell():
    lines = [line for cell in CODE for line in cell.source.splitlines() if line.strip()]
    assert len(lines) <= 35
    drawn = [cell for cell in CODE for out in cell.outputs if "image/png" in out.get("data", {})]
    assert len(drawn) == 1 and "![" not in PROSE


@pytest.mark.parametrize("name", ["objective.flatten", "objective.unflatten", "data.Dataset.of"])
def test_a_function_that_the_page_names_is_there(name):
    from labsupport import data, objective

    where: object = {"objective": objective, "data": data}[name.split(".")[0]]
    for part in name.split(".")[1:]:
        where = getattr(where, part)
    assert callable(where) and f"`{name}" in PROSE
