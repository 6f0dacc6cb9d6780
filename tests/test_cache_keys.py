"""What makes a result another one: content, code as it runs, versions and switches; and what does not."""

import ast
import dataclasses
import importlib
import os
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from labsupport import cache, sweep
from labsupport.cache import code, keys, results, sources, surroundings
from labsupport.data import Dataset
from labsupport.engine import threads
from labsupport.problem import Problem
from labsupport.recipe import Recipe


@pytest.fixture(autouse=True)
def empty(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CALLS", "0")


def cell(text: str, names: dict | None = None) -> dict:
    """What a notebook's cell defines; a second cell may be run among the first one's names."""
    names = (
        {"__name__": "__main__", "cache": cache, "torch": torch, "os": os}
        if names is None
        else names
    )
    exec(compile(textwrap.dedent(text), "<cell>", "exec"), names)
    return names


COUNTED = """
@cache.remember
def f(x):
    os.environ["CALLS"] = str(int(os.environ["CALLS"]) + 1)
    return {body}
"""


def cells(first: str, second: str) -> None:
    """Each cell is run, then f(2) called twice: the second is computed anew, and neither twice."""
    names = cell(first)
    one = names["f"](2), names["f"](2)
    cell(second, names)
    two = names["f"](2), names["f"](2)
    assert one[0] == one[1] != two[0] == two[1] and os.environ["CALLS"] == "2"


def counted(body: str) -> str:
    return COUNTED.format(body=body)


@pytest.mark.parametrize(
    "first, second",
    [
        (counted("x + 1"), counted("x + 2")),
        (counted("x + 1"), counted("x - 1")),
        ("scale = 3" + counted("scale * x"), "scale = 4"),
        ("scale = [3]" + counted("scale[0] * x"), "scale[0] = 4"),
        ("scale = {'a': 3}" + counted("scale['a'] * x"), "scale['a'] = 4"),
        ("scale = torch.ones(2)" + counted("float(scale.sum()) * x"), "scale.add_(1)"),
        ("def g(x): return x" + counted("g(x)"), "def g(x): return -x"),
        ("def h(x): return x\ndef g(x): return h(x)" + counted("g(x)"), "def h(x): return -x"),
        ("def g(x, by=1): return x * by" + counted("g(x)"), "def g(x, by=2): return x * by"),
        ("def make(a):\n    return lambda x: a * x\ng = make(2)" + counted("g(x)"), "g = make(3)"),
        (
            "import functools\ndef h(a, x): return a * x\ng = functools.partial(h, 2)"
            + counted("g(x)"),
            "g = functools.partial(h, 3)",
        ),
        (
            "import functools\n@functools.cache\ndef g(x): return x" + counted("g(x)"),
            "@functools.cache\ndef g(x): return -x",
        ),
        (
            "class A:\n    def go(self, x): return x" + counted("A().go(x)"),
            "class A:\n    def go(self, x): return -x",
        ),
        (
            "class B:\n    k = 1\nclass A(B):\n    def go(self, x): return x * self.k"
            + counted("A().go(x)"),
            "B.k = 2",
        ),
        (
            "table = {'one': lambda x: x}" + counted("table['one'](x)"),
            "table = {'one': lambda x: -x}",
        ),
        (
            "net = torch.nn.Linear(1, 1)" + counted("float(net.weight) * x"),
            "net = torch.nn.Linear(1, 1)",
        ),
        (
            "from labsupport import Recipe\nr = Recipe(32, epochs=1)" + counted("r.batch_size * x"),
            "r = r.but(batch_size=16)",
        ),
    ],
)
def test_an_edited_cell_is_computed_anew(first, second):
    cells(first, second)


def test_a_closure_with_another_value_is_another_function():
    def make(a):
        @cache.remember
        def f(x):
            return a * x

        return f

    assert (make(2)(3), make(5)(3), make(2)(3)) == (6, 15, 6)


def test_what_cannot_be_told_apart_is_computed_each_time_and_that_is_said():
    names = cell("class Thing:\n    pass\nthing = Thing()\nthing.a = 1" + counted("thing.a * x"))
    for a in (1, 5):
        names["thing"].a = a
        with pytest.warns(
            UserWarning,
            match="f is computed anew each time, and not stored: A Thing cannot be part of",
        ):
            assert names["f"](2) == 2 * a


@pytest.mark.parametrize("change", ["\n\n\n", "# a comment\n", "'''A docstring.'''\n"])
def test_comments_layout_and_docstrings_do_not_count(change):
    plain = cell("def f(x):\n    return x + 1")["f"]
    other = cell(
        f"def f(x):\n    {change}    return (x + 1)"
        if "doc" in change
        else f"{change}def f(x):\n    return (x + 1)  # why"
    )["f"]
    assert code.running(plain) == code.running(other)


def test_what_was_imported_counts_and_not_what_stands_in_the_file(tmp_path, monkeypatch):
    """A file that is edited while a kernel runs changes nothing until it is imported anew; then it is another code."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "helpers_of_mine.py").write_text("def g(x):\n    return x\n")
    names = cell("import helpers_of_mine" + counted("helpers_of_mine.g(x)"))
    assert names["f"](2) == 2
    (tmp_path / "helpers_of_mine.py").write_text("def g(x):\n    return 10 * x  # longer\n")
    assert names["f"](2) == 2 and os.environ["CALLS"] == "1"
    importlib.reload(names["helpers_of_mine"])
    assert names["f"](2) == 20 and os.environ["CALLS"] == "2"
    del sys.modules["helpers_of_mine"]


def test_a_module_of_the_package_counts_whole_and_with_all_that_it_uses(monkeypatch):
    from labsupport import landscape, plots, remedies

    before = {f: code.running(f) for f in (sweep.trained.fresh, landscape.line)}
    with monkeypatch.context() as patch:
        patch.setattr(remedies, "AUGMENTATIONS", {})
        assert code.running(sweep.trained.fresh) != before[sweep.trained.fresh]
        assert code.running(landscape.line) == before[landscape.line]
    with monkeypatch.context() as patch:
        patch.setattr(threads, "TINY", 7)  # which thread computes what
        assert code.running(sweep.trained.fresh) != before[sweep.trained.fresh]
    with monkeypatch.context() as patch:
        patch.setattr(threads, "threads_for", lambda n: None)
        assert code.running(sweep.trained.fresh) != before[sweep.trained.fresh]
    with monkeypatch.context() as patch:
        patch.setattr(plots, "SB", "black")
        assert code.running(sweep.trained.fresh) == before[sweep.trained.fresh]
    assert code.running(sweep.trained.fresh) == before[sweep.trained.fresh]


def key() -> str:
    @cache.remember
    def f():
        return 1

    return results.call(f.fresh, (), {}).key


SWITCHES = [
    (
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_default_dtype(torch.float32),
    ),
    (
        lambda: torch.use_deterministic_algorithms(True),
        lambda: torch.use_deterministic_algorithms(False),
    ),
    (
        lambda: torch.set_float32_matmul_precision("high"),
        lambda: torch.set_float32_matmul_precision("highest"),
    ),
    (
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: torch.set_float32_matmul_precision("highest"),
    ),
    (
        lambda: setattr(torch.backends.cudnn, "allow_tf32", False),
        lambda: setattr(torch.backends.cudnn, "allow_tf32", True),
    ),
    (
        lambda: setattr(torch.backends.cudnn, "deterministic", True),
        lambda: setattr(torch.backends.cudnn, "deterministic", False),
    ),
    (lambda: torch.set_default_device("meta"), lambda: torch.set_default_device(None)),
]


@pytest.mark.parametrize("switch, back", SWITCHES)
def test_a_switch_of_torch_makes_another_result(switch, back):
    before = key()
    switch()
    try:
        assert key() != before
    finally:
        back()
    assert key() == before


def test_autocast_makes_another_result():
    before = key()
    with torch.autocast("cpu", torch.bfloat16):
        assert key() != before


@pytest.mark.parametrize("library", ["python", "torch", "numpy", "scipy", "pandas", "mnist1d"])
def test_another_version_makes_another_result(library, monkeypatch):
    before, versions = key(), surroundings.versions()
    assert versions[library] not in ("", "none")
    monkeypatch.setattr(surroundings, "versions", lambda: versions | {library: "0.0.1"})
    assert key() != before


# -- data, problems, networks ------------------------------------------------------------------------------------------


def small():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(60, 40, generator=draw)
    return Dataset(
        x[:40], torch.arange(40) % 10, x[40:], torch.arange(20) % 10, 10, "drawn", "drawn"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda d: dataclasses.replace(d, y_train=d.y_train.flip(0)),
        lambda d: dataclasses.replace(d, y_train=d.y_train.roll(1)),
        lambda d: dataclasses.replace(d, x_test=0 * d.x_test),
        lambda d: dataclasses.replace(d, y_test=d.y_test.flip(0)),
        lambda d: dataclasses.replace(d, x_train=d.x_train.double(), x_test=d.x_test.double()),
    ],
)
def test_data_that_were_swapped_have_other_results(change):
    assert cache.fingerprint(Problem("F0", change(small()))) != cache.fingerprint(
        Problem("F0", small())
    )


def test_a_training_on_swapped_labels_is_trained(monkeypatch):
    one = small()
    two = dataclasses.replace(one, y_train=one.y_train.flip(0))
    runs = [
        sweep.trained(Problem("F0-plain", d), Recipe(20, epochs=1), (0,)) for d in (one, two, one)
    ]
    assert torch.equal(runs[0].x, runs[2].x) and not torch.equal(runs[0].x, runs[1].x)


def test_labels_changed_in_place_are_noticed():
    d = small()
    before = cache.fingerprint(d)
    d.y_train[0] = 5
    assert cache.fingerprint(d) != before
    d.y_train[0] = 0
    assert cache.fingerprint(d) == before
    d.y_train.numpy()[:] = d.y_train.numpy()[::-1].copy()
    assert cache.fingerprint(d) != before


def test_a_large_tensor_changed_behind_torchs_back_is_noticed(monkeypatch):
    monkeypatch.setattr(keys, "_LARGE", 100)
    x = torch.arange(5000.0)
    before = keys.tensor_digest(x)
    assert keys.tensor_digest(x) == before
    x.numpy()[3] = 7
    assert keys.tensor_digest(x) != before


class Net(nn.Module):
    def __init__(self, width=4, slope=0.1):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.slope = nn.Linear(40, width), nn.Linear(width, 10), slope
        self.register_buffer("shift", torch.zeros(width))

    def forward(self, x):
        return self.two(nn.functional.leaky_relu(self.one(x) + self.shift, self.slope))


class Other(Net):
    def forward(self, x):
        return self.two(self.one(x))


def changed(change):
    net = Net()
    change(net)
    return net


def tied(net):
    net.two.bias = nn.Parameter(torch.zeros(10))
    net.one.extra = net.two.bias


NETWORKS = [
    Net(),
    Net(width=5),
    Net(slope=0.2),
    Other(),
    changed(lambda net: net.shift.add_(1)),
    changed(lambda net: net.one.weight.data.mul_(2)),
    changed(lambda net: net.one.requires_grad_(False)),
    changed(lambda net: net.one.register_forward_hook(lambda *args: None)),
    changed(tied),
    changed(lambda net: net.eval()),
    changed(lambda net: net.add_module("norm", nn.BatchNorm1d(4))),
    nn.Sequential(nn.Linear(40, 10)),
    nn.Sequential(nn.Flatten(), nn.Linear(40, 10)),
]


def test_networks_are_told_apart_by_structure_code_buffers_and_numbers():
    assert len({cache.fingerprint(net) for net in NETWORKS}) == len(NETWORKS)
    assert cache.fingerprint(Net()) == cache.fingerprint(Net())


def test_a_network_whose_forward_was_edited_in_a_cell_is_another():
    text = "class N(torch.nn.Module):\n    def forward(self, x):\n        return x {} 1"
    assert cache.fingerprint(cell(text.format("+"))["N"]()) != cache.fingerprint(
        cell(text.format("-"))["N"]()
    )
    assert cache.fingerprint(cell(text.format("+"))["N"]()) == cache.fingerprint(
        cell(text.format("+"))["N"]()
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_network_without_source_is_not_stored_and_that_is_said():
    @cache.remember
    def weights(net):
        return sum(p.sum().item() for p in net.parameters())

    compiled = torch.jit.script(nn.Linear(2, 2))
    with pytest.warns(
        UserWarning, match="weights is computed anew each time.*torch.jit.*has no source"
    ):
        weights(compiled)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights(nn.Linear(2, 2))


def test_runs_of_ones_own_network_and_data_come_back_with_them():
    problem = Problem(Net(), small())
    for _ in range(2):
        runs = sweep.trained(problem, Recipe(20, epochs=1), (0,))
        assert runs.problem is problem and runs.recipe == Recipe(20, epochs=1)


VALUES = [
    1,
    1.0,
    True,
    "1",
    b"1",
    None,
    (1,),
    [1],
    {1},
    {"a": 1},
    {1: 1},
    {"1": 1},
    1j,
    np.int64(1),
    np.float32(1),
    np.array([1]),
    np.array(["1"]),
    torch.tensor(1),
    torch.tensor([1]),
    torch.tensor([1.0]),
    pd.Series([1]),
    pd.DataFrame({"a": [1]}),
    pd.DataFrame({"b": [1]}),
    pd.DataFrame({"a": [1]}, index=[1]),
    pd.DataFrame({"a": ["1"]}),
    float("nan"),
    -0.0,
    0.0,
    0,
    range(1),
    slice(1),
    torch.float32,
    torch.device("cpu"),
    Recipe(1, epochs=1),
    Recipe(1, epochs=2),
    len,
    max,
]


def test_no_two_values_have_one_name():
    assert len({cache.fingerprint(value) for value in VALUES}) == len(VALUES)


def test_arguments_have_one_name_however_they_are_given():
    @cache.remember
    def f(x, *, by=2):
        os.environ["CALLS"] = str(int(os.environ["CALLS"]) + 1)
        return x * by

    assert [f(3), f(x=3), f(3, by=2)] == [6, 6, 6] and os.environ["CALLS"] == "1"


def test_a_progress_bar_of_a_notebook_names_no_other_result(monkeypatch):
    """A kernel and the processes that it starts have different bars; a training is the same one."""
    from tqdm.asyncio import tqdm_asyncio
    from tqdm.notebook import tqdm_notebook

    from labsupport import sweep
    from labsupport.training import loop

    names = set()
    for bar in (tqdm_asyncio, tqdm_notebook):
        monkeypatch.setattr(loop, "tqdm", bar)
        names.add(code.running(sweep.trained.fresh))
    assert len(names) == 1


def test_a_compiled_method_is_named_by_its_class_and_its_own_name():
    given = (torch.Tensor.matmul, torch.Tensor.mm, torch.Tensor.__len__, dict.__len__, str.join)
    names = {cache.fingerprint(method) for method in given}
    assert len(names) == len(given) and cache.fingerprint(torch.Tensor.mm) in names


def test_the_digest_of_code_on_disk_is_one_for_every_python():
    """Python 3.12 gave functions and classes a list of type parameters, and 3.13 leaves empty lists out of a dump."""
    text = "class A:\n    def f(self, *, a=None):\n        return [] if a else None\n"
    tree, newer = ast.parse(text), ast.parse(text)
    for node in ast.walk(newer):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node._fields = (*dict.fromkeys((*node._fields, "type_params")),)
            node.type_params = []
    assert sources._dumped(tree) == sources._dumped(newer)
    for other in ("a=0", "a=False", "*, b=None"):
        changed = text.replace("*, a=None", other)
        assert sources._dumped(ast.parse(changed)) != sources._dumped(tree)
    assert sources._dumped(ast.parse("def f(): return")) != sources._dumped(
        ast.parse("def f(): return None")
    )
