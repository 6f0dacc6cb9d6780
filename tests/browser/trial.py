"""A page with every kind of control, whatever the chapters use."""

import nbclient
import nbformat

NAME = "10-trial"
QUESTION = """## A question

### Predict before you run

What does the line do when $h$ grows?

(a) It rises by $h$.

(b) It falls.

(c) It bends."""
ANSWER = """<details>
<summary>Answer</summary>

**(a)** It rises.

- (b) A line does not fall.
- (c) Its *slope* stays 0, so it cannot bend.

</details>

(risen)=
So it goes on rising.

## Elsewhere

Nothing was asked here."""
RESULT = 'print("It rose by", 40 + 2)'
EXPLORED = """explore.figure(lambda height: line(height, "#0072B2"), height=[1, 2, 3], labels={"height": "Height"},
    alt="A level line at height {height}.", caption="What the line did.")"""
CELLS = [
    "from matplotlib import pyplot as plt\nfrom labsupport import explore",
    """def line(height, color):
    fig, ax = plt.subplots(figsize=(4, 2.5))
    ax.axhline(height, color=color)
    ax.set(ylim=(0, 4), xlabel="x", ylabel="y", title="A line rises")
    return ax""",
    """explore.figure(line, height=[1, 2, 3], color={"Blue": "#0072B2", "Orange": "#D55E00"},
    labels={"height": "Height", "color": "Color"}, start={"height": 2},
    alt="A level line at height {height}, drawn in {color}.", caption="Height and color can be chosen.")""",
    """explore.figure(lambda color: line(2, color), color={"Blue": "#0072B2", "Orange": "#D55E00"},
    alt="A level line drawn in {color}.", caption="Only the color can be chosen.")""",
]


def write(folder) -> None:
    """Write the page to `folder`, executed."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Trial\n\n$$ x^2 $$")]
    )
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook.cells += [
        nbformat.v4.new_markdown_cell(QUESTION),
        nbformat.v4.new_code_cell(RESULT),
        nbformat.v4.new_code_cell(EXPLORED),
        nbformat.v4.new_markdown_cell("As we see, it rose."),
        nbformat.v4.new_markdown_cell(ANSWER),
    ]
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
