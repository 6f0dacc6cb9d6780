"""Read a notebook that any front end saved, and bring it to the one form in which chapters are kept.

What is missing and can only be empty is filled in; what an instructor's tools wrote stays; what one machine or front
end noted for itself goes. The result is a valid notebook, or an error that names what is wrong with the given one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, ValidationError

from tools.files import Refused, write_whole

METADATA_KEPT = {"rise", "nbgrader", "otter"}  # of a notebook, beside those that all chapters share
#: Of a cell: what readers and instructors set. All else is a front end's own bookkeeping.
CELL_METADATA = {
    "cellView",
    "deletable",
    "editable",
    "format",
    "mystnb",
    "name",
    "nbgrader",
    "otter",
    "raw_mimetype",
    "slideshow",
    "tags",
}
WIDGETS = "application/vnd.jupyter.widget-state+json"


def read(path: Path) -> NotebookNode:
    """The notebook in ``path`` as version 4, with whatever a front end left out put back.

    Raises Refused, in a sentence, if there is no such notebook or it is none.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(f"There is no notebook {path}.") from None
    except IsADirectoryError:
        raise Refused(f"{path} is a folder, not a notebook.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is no notebook: it holds bytes that are not UTF-8.") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        conflict = "<<<<<<<" in text
        why = (
            "git left conflict marks in it"
            if conflict
            else f"line {error.lineno} is no JSON ({error.msg})"
        )
        raise Refused(f"{path.name} is no notebook: {why}.") from None
    if not isinstance(content, dict) or not isinstance(
        content.get("cells", content.get("worksheets")), list
    ):
        raise Refused(f"{path.name} is no notebook: it holds no list of cells.")
    try:
        _complete(content, path.name)
        text = json.dumps(content)
        # Whether it is valid is asked when it is normal; here nbformat would only log its doubts.
        return nbformat.reads(text, as_version=4, capture_validation_error={})
    except Refused:
        raise
    except (
        Exception
    ) as error:  # nbformat converts old versions, and trips over a damaged one in many ways
        raise Refused(
            f"{path.name} is no notebook that Jupyter could read: {_first_line(error)}."
        ) from None


def _complete(content: dict[str, Any], name: str) -> None:
    """Put empty values where the format wants one and a front end wrote none."""
    content.setdefault("metadata", {})
    content.setdefault("nbformat", 4)
    content.setdefault("nbformat_minor", 4)
    for number, cell in enumerate(content.get("cells", [])):
        if not isinstance(cell, dict) or "cell_type" not in cell:
            raise Refused(f"{name}, cell {number}: it does not say whether it is text or code.")
        if cell.get("source") is None:
            cell["source"] = ""
        if cell.get("metadata") is None:
            cell["metadata"] = {}
        if cell["cell_type"] != "code":
            continue
        cell.setdefault("execution_count", None)
        if cell.get("outputs") is None:
            cell["outputs"] = []
        for output in cell["outputs"]:
            _complete_output(output, cell, f"{name}, cell {number}")


def _complete_output(output: Any, cell: dict[str, Any], where: str) -> None:
    if not isinstance(output, dict) or "output_type" not in output:
        raise Refused(f"{where}: it has an output that does not say of which kind it is.")
    if output["output_type"] in ("execute_result", "display_data"):
        for key in ("metadata", "data"):
            if output.get(key) is None:
                output[key] = {}
    if output["output_type"] == "execute_result":
        output.setdefault("execution_count", cell["execution_count"])
    if output["output_type"] == "stream":
        output.setdefault("name", "stdout")
        output.setdefault("text", "")


def normalize(notebook: NotebookNode, shared: dict[str, Any], name: str = "The notebook") -> None:
    """Bring ``notebook`` to the chapters' form, in place, with the ``shared`` metadata.

    Raises Refused if it is no valid notebook even so; it is then not to be written.
    """
    # here, since what only reads and writes notebooks, as publishing does, needs no Pillow
    from tools import pictures

    kept = {key: value for key, value in notebook.metadata.items() if key in METADATA_KEPT}
    if widgets := widget_states(notebook.metadata.get("widgets")):
        kept["widgets"] = widgets
    notebook.metadata = nbformat.from_dict(shared | kept)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.source = cell.source.replace("\r\n", "\n").replace("\r", "\n")
        cell.metadata = nbformat.from_dict(
            {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        )
        if cell.cell_type == "code":
            cell.setdefault("execution_count", None)
            cell.outputs = merge_streams(cell.get("outputs", []))
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata.pop("outputId", None)
        else:
            for key in ("execution_count", "outputs"):  # left by a cell that was code before
                cell.pop(key, None)
    try:
        nbformat.validate(notebook)
    except ValidationError as error:
        raise Refused(
            f"{name} is no valid notebook: {_first_line(error)}. Open it in Jupyter and save it."
        ) from None
    pictures.reduce(notebook)


def widget_states(widgets: Any) -> dict[str, Any]:
    """The complete widget states among a notebook's metadata.

    Colab writes the models without the wrapper that the format has, and pages would show nothing: they get it. An entry
    that holds no state at all would break the page and is dropped.
    """
    found = {}
    for kind, entry in widgets.items() if isinstance(widgets, dict) else ():
        if not isinstance(entry, dict):
            continue
        if entry.get("state"):
            found[kind] = entry
        elif kind == WIDGETS and (models := {k: v for k, v in entry.items() if _is_model(v)}):
            found[kind] = {"state": models, "version_major": 2, "version_minor": 0}
    return found


def _is_model(entry: Any) -> bool:
    return isinstance(entry, dict) and {"model_name", "model_module", "state"} <= set(entry)


def merge_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join consecutive pieces of one stream: where they were cut depends on the machine's pace."""
    merged: list[NotebookNode] = []
    for output in outputs:
        before = merged[-1] if merged else None
        if (
            before
            and output.output_type == "stream" == before.output_type
            and output.name == before.name
        ):
            before.text += output.text
        else:
            merged.append(output)
    return merged


def write(notebook: NotebookNode, path: Path) -> None:
    """Write ``notebook`` whole or not at all."""
    text = nbformat.writes(notebook)
    write_whole(path, text if text.endswith("\n") else text + "\n")


def _first_line(error: Exception) -> str:
    message = getattr(error, "message", "") or str(error)
    line = str(message).strip().splitlines()[0] if str(message).strip() else type(error).__name__
    return (line if len(line) <= 160 else f"{line[:157]}...").rstrip(".")
