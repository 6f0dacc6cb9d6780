"""The page *Your own network* does what it says: its code runs as it stands, and prints lines of the form it shows."""

import re
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")
PAGE = (Path(__file__).resolve().parent.parent / "book" / "your-own-network.md").read_text(
    encoding="utf-8"
)
CODE = re.search(r"```python\n(.*?)```", PAGE, re.S).group(1)
LINE = re.compile(r"B = +(\d+): loss ([\d.]+), phi (\d+) %, largest eigenvalue (\d+)")


def test_the_code_runs_as_it_stands_with_fewer_samples_and_epochs(capsys):
    from matplotlib import pyplot as plt

    quick = CODE.replace("train_size=1000", "train_size=200").replace("epochs=150", "epochs=3")
    assert quick != CODE
    exec(compile(quick, "your-own-network", "exec"), {"__name__": "page"})
    printed = LINE.findall(capsys.readouterr().out)
    assert [row[0] for row in printed] == [row[0] for row in LINE.findall(PAGE)] == ["20", "100"]
    assert all(float(row[1]) > 0 and int(row[2]) >= 0 for row in printed)
    assert len(plt.gca().lines) == 2
    plt.close("all")


def test_the_page_needs_no_more_lines_than_it_promises_to_need():
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 35


@pytest.mark.parametrize("name", ["objective.flatten", "objective.unflatten", "data.Dataset.of"])
def test_a_function_that_the_page_names_is_there(name):
    from labsupport import data, objective

    where: object = {"objective": objective, "data": data}[name.split(".")[0]]
    for part in name.split(".")[1:]:
        where = getattr(where, part)
    assert callable(where) and f"`{name}" in PAGE
