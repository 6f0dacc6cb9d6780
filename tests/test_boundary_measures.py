"""Bad and odd inputs of every public function that measures, draws, claims: one sentence, or the right value.

A sentence names what was given and what is possible; none of torch's, SciPy's or Python's own messages comes through.
"""

import contextlib
import io
import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import check, curvature, explore, landscape, plots
from labsupport.engine.functions import adapt
from labsupport.sharpness import sharpness
from labsupport.subspace import RandomManifold

X = torch.ones(3)
NAN, INF = math.nan, math.inf


def bowl(x):
    return (x**2).sum()


def measure(**changes):
    return lambda: sharpness(**({"f": bowl, "x": X, "epsilon": 0.1} | changes))


def top(**changes):
    return lambda: curvature.top_eigenvalues(**({"f": bowl, "x": X} | changes))


def walls(**changes):
    return lambda: curvature.trace(**({"f": bowl, "x": X} | changes))


def line(**changes):
    return lambda: landscape.line(
        **({"f": bowl, "x_a": X, "x_b": 2 * X, "alphas": [0, 1]} | changes)
    )


def curve(**changes):
    return lambda: landscape.curve(
        **({"f": bowl, "x_a": X, "x_b": 2 * X, "alphas": [0, 1]} | changes)
    )


def plane(**changes):
    two = (torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0]))
    return lambda: landscape.plane(**({"f": bowl, "x": X, "steps": 3, "directions": two} | changes))


def manifold(n=5, p=2, seed=0, like=X):
    return lambda: RandomManifold(n, p, seed, like)


def claim(**changes):
    return lambda: check.claim(
        **({"key": "1.1", "says": "So it is", "values": [1.0, 1.1, 1.2]} | changes)
    )


def figure(**changes):
    wishes = {"draw": lambda a: None, "alt": "A {a}.", "caption": "A.", "a": [1, 2]} | changes
    return lambda: explore.figure(wishes.pop("draw"), **wishes)


BAD_NUMBERS = ["0.1", None, [0.1], True, NAN, INF, torch.ones(2)]
BAD_COUNTS = ["3", 2.5, [3], True, NAN, INF, 0, -1, 1j]
BAD_SEEDS = ["0", None, 0.5, -1, 2**70, [1]]
BAD_POINTS = [
    "x",
    None,
    [1.0, 2.0],
    np.ones(3),
    torch.ones(3, dtype=torch.int64),
    torch.ones(3, dtype=torch.complex64),
    torch.ones(()),
    torch.ones(0),
    torch.ones(1, 1, 3),
    torch.tensor([1.0, NAN]),
    torch.tensor([INF, 1.0]),
    torch.ones(3, device="meta"),
    torch.ones(2, 2).to_sparse(),
]
BAD_FUNCTIONS = [None, "f", 3, torch.nn.Linear(3, 1), torch.nn.Linear]
BAD_RESULTS = {
    "a vector": lambda x: x**2,
    "a tuple": lambda x: (bowl(x), 1),
    "a float": lambda x: bowl(x).item(),
    "None": lambda x: None,
    "detached": lambda x: bowl(x.detach()),
    "of no_grad": torch.no_grad()(bowl),
    "numpy": lambda x: np.sum(x.detach().numpy() ** 2),
    "another tensor": lambda x: torch.tensor(1.0),
    "a whole number": lambda x: (x > 0).sum(),
}

plt.switch_backend("Agg")
CASES = []
for name, call in (("epsilon", measure), ("offset", measure), ("span", plane)):
    CASES += [(call(**{name: given}), f"{name} is ") for given in [*BAD_NUMBERS, -1]]
CASES += [
    (
        measure(epsilon=0),
        "epsilon is 0; a finite number above 0 is needed. The paper uses 1e-3 and 5e-4.",
    )
]
for name, call in (
    ("iterations", measure),
    ("subspace_dim", measure),
    ("samples", walls),
    ("k", top),
    ("steps", plane),
):
    CASES += [(call(**{name: given}), f"{name} is ") for given in BAD_COUNTS]
CASES += [(measure(starts=given), "starts is ") for given in BAD_COUNTS]
CASES += [(top(tolerance=given), "tolerance is ") for given in [*BAD_NUMBERS, 0, -1, 1]]
for call in (measure, top, walls):
    CASES += [(call(seed=given), "seed is ") for given in BAD_SEEDS]
    CASES += [(call(x=given), "x ") for given in BAD_POINTS]
    CASES += [(call(f=given), "f is .*a function of one point x") for given in BAD_FUNCTIONS]
    CASES += [(call(f=given), "f returned ") for given in BAD_RESULTS.values()]
CASES += [(line(f=given), "f is ") for given in BAD_FUNCTIONS] + [
    (plane(f=given), "f is ") for given in BAD_FUNCTIONS
]
CASES += [(line(f=BAD_RESULTS[name]), "f returned ") for name in ("a vector", "a tuple", "None")]
CASES += [(line(x_b=given), "x_b ") for given in BAD_POINTS]
for call in (line, curve):
    CASES += [
        (call(alphas=given), "alphas")
        for given in [0.5, "0.5", ["a"], None, [], [NAN], [[0.0, 1.0]]]
    ]
CASES += [
    (measure(method="stong"), "No method is called 'stong'. Did you mean 'strong'"),
    (measure(method=None), "No method is called None"),
    (measure(method=["paper"]), "No method is called"),
    (measure(subspace_dim=4), "subspace_dim is 4; a whole number from 1 to 3 is needed"),
    (measure(f=lambda x: bowl(x) - 6), "divides by 1 . f.x., which must be positive"),
    (measure(f=lambda x: bowl(x) - 4), "divides by 1 . f.x., which must be positive"),
    (measure(f=lambda x: bowl(x) * NAN), "a rise can only be measured from finite numbers"),
    (measure(f=lambda x: bowl(x) / 0), "a rise can only be measured from finite numbers"),
    (
        measure(f=lambda x: torch.where((x == 1).all(), bowl(x), bowl(x) * NAN), method="paper"),
        "f is not a finite number at any of the .* points of the box that L-BFGS-B visited for model 0",
    ),
    (top(k=4), "k is 4; a whole number from 1 to 3 is needed"),
    (top(f=lambda x: (x - 1).abs().sqrt().sum()), "entries that are not finite numbers"),
    (walls(samples=1), "samples is 1; a whole number of at least 2 is needed"),
    (plane(x=torch.ones(2, 3)), "a plane is drawn around one point"),
    (plane(steps=1), "steps is 1; a whole number of at least 3 is needed"),
    (
        plane(steps=4),
        "steps is 4; an odd number is needed, so that x itself is one of the points: 5",
    ),
    (plane(directions=None), "Filter normalization needs an Objective"),
    (plane(directions=(X,)), "directions is .*; two vectors of shape"),
    (plane(directions=X), "two vectors"),
    (plane(directions="xy"), "two vectors"),
    (plane(directions=(torch.ones(2), torch.ones(3))), r"directions\[0\] has shape"),
    (plane(directions=(X, None)), r"directions\[1\] is a NoneType"),
    (plane(directions=(torch.ones(2, 3), X)), "directions hold stacks"),
    (line(x_b=torch.ones(2)), "a pair needs equal shapes"),
    (line(x_b=torch.ones(2, 3)), "a pair needs equal shapes"),
    (manifold(n=0), "n is 0"),
    (manifold(n="5"), "n is '5'"),
    (manifold(p=0), "p is 0"),
    (manifold(p=6), "p is 6"),
    (manifold(p=2.5), "p is 2.5"),
    (manifold(seed=-1), "seed is -1"),
    (manifold(like="cpu"), "like is 'cpu'"),
    (manifold(like=torch.ones(2, dtype=torch.int64)), "like is "),
    (
        lambda: manifold()().matvec(torch.ones(1, 3)),
        r"y is a Tensor of shape \(1, 3\); a Tensor of shape \(S, 2\)",
    ),
    (lambda: manifold()().rmatvec(torch.ones(5)), "gradient is "),
    (lambda: manifold()().coordinates(torch.ones(1, 4)), "x is "),
    (claim(key="intro"), "named by its chapter and number"),
    (claim(key="../../../x"), "chapter and number"),
    (claim(key=1.1), "chapter and number"),
    (claim(key=""), "chapter and number"),
    (claim(says=""), "says is ''"),
    (claim(says=None), "says is None"),
    (claim(values="many"), "Claim 1.1 cannot be checked"),
    (claim(values=[1.0]), "At least two finite numbers"),
    (claim(values=3.0), "At least two finite numbers"),
    (claim(values=[]), "At least two"),
    (claim(values=[1, NAN]), "finite"),
    (claim(values=None), "Claim 1.1"),
    (claim(values=np.ones((3, 2))), r"shape \(3, 2\); one number per seed"),
    (claim(above="2"), "above is '2'"),
    (claim(above=NAN), "above is nan"),
    (claim(within=0), "within is 0"),
    (claim(within=-1), "within is -1"),
    (claim(within=(1, 0)), "lower end must come first"),
    (claim(within=(1, 2, 3)), "one margin, or its two ends"),
    (claim(within="1"), "within is '1'"),
    (claim(within=1, above=1), "a claim has one bound"),
    (claim(confidence=1), "confidence is 1"),
    (claim(confidence=95), "confidence is 95"),
    (claim(over=""), "over is ''"),
    (lambda: check.interval([1, 2], confidence=0), "confidence is 0"),
    (lambda: check.interval(["a", "b"]), "numbers are needed"),
    (lambda: check.interval([1.0]), "At least two"),
    (lambda: check.exercise("1.99", 3), "There is no exercise '1.99'"),
    (lambda: plots.dots([1, 2]), "groups is "),
    (lambda: plots.dots({}), "groups is empty"),
    (lambda: plots.dots({"SB": []}), "group 'SB' is empty"),
    (lambda: plots.dots({"SB": "abc"}), "numbers are needed"),
    (lambda: plots.band([1], "x", "y"), "table is "),
    (lambda: plots.spread([]), "values is empty"),
    (
        lambda: plots.band(pd.DataFrame({"epoch": [1], "loss": [2]}), "epoch", "los"),
        "Did you mean 'loss'",
    ),
    (lambda: plots.spread("abc"), "numbers are needed"),
    (lambda: plots.color_of("SP"), "Did you mean 'SB'"),
    (lambda: plots.line_of("trian"), "Did you mean 'train'"),
    (figure(draw=3), "draws one frame: a function"),
    (figure(a=[1]), "nothing to explore below two"),
    (figure(a="ab"), "needs a list of values"),
    (figure(caption=""), "caption is "),
    (figure(alt=3), "alt is "),
    (figure(alt="{b}", draw=lambda a: plt.figure()), "Known: {a}"),
    (figure(start={"b": 1}), "parameter"),
    (figure(), "must return a matplotlib"),
]


def test_the_table_is_long_enough():
    assert len(CASES) >= 120


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_bad_input_gets_one_sentence(number):
    call, says = CASES[number]
    with pytest.raises((TypeError, ValueError), match=says) as caught:
        call()
    assert (
        str(caught.value)[-1] in ".?"
        or "Known:" in str(caught.value)
        or "np.linspace" in str(caught.value)
    )
    assert "\n" not in str(caught.value)


RISE = 100 * 3 * (1.2**2 - 1) / 4  # of `bowl` at ones in the box of half-width .1 (1 + 1)

ODD = [
    (measure(x=torch.nn.Parameter(torch.ones(3))), RISE),
    (measure(x=torch.nn.Parameter(torch.ones(3)), method="paper"), RISE),
    (measure(x=torch.ones(3, dtype=torch.float64)), RISE),
    (measure(x=torch.ones(3, dtype=torch.float16)), RISE),
    (measure(x=torch.ones(3).to(torch.bfloat16)), RISE),
    (measure(x=torch.ones(3, requires_grad=True)), RISE),
    (measure(x=torch.ones(3, 2).T[0]), 100 * 3 * 0.44 / 4),
    (measure(epsilon=np.float32(0.1)), RISE),
    (measure(epsilon=torch.tensor(0.1)), RISE),
    (measure(iterations=np.int64(10)), RISE),
    (measure(iterations=10.0, starts=torch.tensor(3)), RISE),
    (measure(seed=np.uint8(4), subspace_dim=None), RISE),
    (measure(f=lambda x: bowl(x).reshape(1)), RISE),
    (measure(f=lambda x: bowl(x) - 3.5), 100 * 3 * 0.44 / 0.5),
    (lambda: sharpness(bowl, torch.ones(3), method="paper"), 100 * 3 * (1.002**2 - 1) / 4),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_an_odd_input_with_a_plain_meaning_works(number):
    call, wanted = ODD[number]
    assert float(call().value[0]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("given", [np.int64(2), 2.0, torch.tensor(2), np.float64(2)])
def test_whole_numbers_of_any_kind_are_whole_numbers(given):
    assert curvature.top_eigenvalues(bowl, X, given).tolist() == [2, 2]
    assert curvature.trace(bowl, X, samples=given)[0] == 6
    assert len(landscape.plane(bowl, X, steps=given + 1, directions=(X, X))) == 9


def test_values_that_are_not_finite_come_with_a_word():
    with pytest.warns(RuntimeWarning, match="f is not a finite number at 1 of 2 points"):
        table = landscape.line(lambda x: x.sum().log(), torch.zeros(2), torch.ones(2), [0, 1])
    assert table.loss.tolist()[1] == pytest.approx(math.log(2))


def test_a_float_is_enough_where_no_gradient_is_asked_for():
    assert landscape.line(lambda x: float(bowl(x)), X, 2 * X, [0, 1]).loss.tolist() == [3, 12]


# -- measures do not depend on what is switched on around them ---------------------------------------------------------


@contextlib.contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device():
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def matmul_precision():
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision("highest")


@contextlib.contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "default dtype": default_dtype,
    "default device": default_device,
    "matmul precision": matmul_precision,
    "deterministic mode": deterministic,
}
WEIGHTS = torch.randn(70, 70, generator=torch.Generator().manual_seed(0))
POINT = torch.randn(70, generator=torch.Generator().manual_seed(1))


def layered(x):
    """Matrix products, as a network has them; autocast would round them to eight bits."""
    return (torch.tanh(WEIGHTS @ x) ** 2).mean()


MEASURES = {
    "sharpness": lambda: sharpness(layered, POINT, iterations=3).value,
    "sharpness by paper": lambda: sharpness(layered, POINT, iterations=3, method="paper").value,
    "sharpness in a manifold": lambda: (
        sharpness(layered, POINT, iterations=3, subspace_dim=5).value
    ),
    "top eigenvalues": lambda: curvature.top_eigenvalues(layered, POINT, 2),
    "trace": lambda: curvature.trace(layered, POINT, samples=4)[0],
    "line": lambda: torch.tensor(
        landscape.line(layered, POINT, -POINT, [0, 0.5, 1]).loss, device="cpu"
    ),
}


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_immune_to_their_surroundings(name, surroundings):
    plain = MEASURES[name]()
    with SURROUNDINGS[surroundings]():
        found = MEASURES[name]()
    assert found.dtype == torch.float64 and torch.equal(plain, found.to("cpu"))


def test_an_adapted_function_switches_autocast_off():
    with torch.autocast("cpu", torch.bfloat16):
        value = adapt(layered)(POINT)
    assert torch.equal(value, adapt(layered)(POINT))


def test_claims_print_one_line_even_for_odd_values():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        check.claim("1.1", "So it is", pd.Series([1, 2, 3]))
        check.claim("1.2", "So it is", torch.tensor([1.0, 2.0], requires_grad=True))
        check.claim("1.3", "So it is", np.array([[1.0], [2.0]]))
        check.claim("1.4", "So it is", np.bool_(True))
    assert len(out.getvalue().splitlines()) == 4
