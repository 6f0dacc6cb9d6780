"""Eigenvalues and trace against the dense Hessian, and against curvlinops as an outside witness."""

import warnings

import numpy as np
import pytest
import torch
import twins
from torch import nn

from labsupport import curvature, data
from labsupport.errors import EigenvalueWarning
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.training import start, train


def norm(width):
    return nn.BatchNorm1d(width, track_running_stats=False)


@pytest.fixture(scope="module")
def trained():
    """A network small enough for its dense Hessian, at a point where training has been."""
    signals = data.load("mnist1d", device="cpu", train_size=300)
    small = nn.Sequential(nn.Linear(40, 4), norm(4), nn.ReLU(), nn.Linear(4, 10))
    runs = train(
        Problem(small, signals), Recipe(50, epochs=15, learning_rate=1e-2), 2, progress=False
    )
    return small, signals, Objective(small, signals.x_train, signals.y_train), runs.x


def dense(small, signals, x):
    def slow(point):
        weights = dict(
            zip(
                (name for name, _ in small.named_parameters()),
                (
                    part.view(p.shape)
                    for part, p in zip(
                        point.split([p.numel() for p in small.parameters()]), small.parameters()
                    )
                ),
            )
        )
        return nn.functional.cross_entropy(
            torch.func.functional_call(small, weights, signals.x_train.double()), signals.y_train
        )

    return twins.dense_hessian(slow, x.double())


def test_top_eigenvalues_are_the_dense_hessians(trained):
    small, signals, f, x = trained
    slow = torch.linalg.eigvalsh(dense(small, signals, x[0])).flip(0)
    assert torch.allclose(
        curvature.top_eigenvalues(f.double(), x[0].double(), 5, tolerance=1e-10),
        slow[:5],
        rtol=1e-8,
    )
    assert torch.allclose(
        curvature.top_eigenvalues(f, x[0], 5), slow[:5], rtol=3e-3
    )  # float32, and the default tolerance


def test_a_stack_is_taken_row_by_row(trained):
    _, _, f, x = trained
    both = curvature.top_eigenvalues(f, x, 2)
    assert both.shape == (2, 2)
    for s in (0, 1):
        assert torch.allclose(both[s], curvature.top_eigenvalues(f, x[s], 2), rtol=1e-3)


def test_products_are_differences_of_gradients(trained):
    """A witness that differentiates only once."""
    _, _, f, x = trained
    exact, point = f.double(), x[0].double()
    for seed in range(3):
        v = torch.randn(f.n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        slow = (exact.gradient(point + 1e-6 * v) - exact.gradient(point - 1e-6 * v)) / 2e-6
        assert torch.allclose(exact.hessian_vector(point, v), slow, rtol=1e-5, atol=1e-7)


def test_curvlinops_agrees(trained):
    """Without batch norm: curvlinops 3.0.1 errs in the rows of its scale, as differences of gradients show."""
    curvlinops = pytest.importorskip("curvlinops")
    _, signals, _, _ = trained
    module = nn.Sequential(nn.Linear(40, 4), nn.ReLU(), nn.Linear(4, 10))
    x = start(module, [0])[0].double()
    nn.utils.vector_to_parameters(x, module.double().parameters())
    batches = [
        (part, labels)
        for part, labels in zip(signals.x_train.double().split(100), signals.y_train.split(100))
    ]
    f = Objective(module, signals.x_train, signals.y_train).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hessian = curvlinops.HessianLinearOperator(
            module, nn.CrossEntropyLoss(), list(module.parameters()), batches
        )
        vectors = torch.randn(
            f.n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
        )
        products = torch.as_tensor(hessian @ vectors)
    for v, product in zip(vectors.T, products.T):
        assert torch.allclose(f.hessian_vector(x, v), product, rtol=1e-9, atol=1e-12)
    dense = torch.stack([f.hessian_vector(x, unit) for unit in torch.eye(f.n, dtype=torch.float64)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        witness = torch.as_tensor(hessian @ torch.eye(f.n, dtype=torch.float64))
    assert torch.allclose(
        torch.linalg.eigvalsh(witness)[-3:].flip(0),
        curvature.top_eigenvalues(f, x, 3, tolerance=1e-10),
        rtol=1e-8,
    )
    assert torch.allclose(dense, witness, atol=1e-10)


def test_trace_is_the_dense_hessians_within_its_own_error(trained):
    small, signals, f, x = trained
    slow = float(dense(small, signals, x[0]).trace())
    mean, error = curvature.trace(f, x[0], samples=400)
    assert abs(float(mean) - slow) < 4 * float(error) and float(error) < 0.2 * abs(slow)


def test_trace_of_a_diagonal_is_exact_and_its_error_zero():
    """Random signs see a diagonal exactly: v_i^2 = 1."""
    mean, error = curvature.trace(
        lambda x: (torch.arange(1.0, 5.0) * x**2).sum() / 2, torch.zeros(4), samples=3
    )
    assert float(mean) == pytest.approx(10) and float(error) == pytest.approx(0, abs=1e-6)


def test_trace_of_a_known_matrix():
    matrix = torch.randn(30, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = matrix + matrix.T
    means, errors = curvature.trace(
        lambda x: x @ matrix @ x / 2, torch.zeros(2, 30, dtype=torch.float64), samples=300
    )
    assert means.shape == errors.shape == (2,)
    assert (abs(means - matrix.trace()) < 4 * errors).all()
    off = matrix - matrix.diag().diag()
    assert float(errors[0]) == pytest.approx(
        (2 * (off**2).sum() / 300).sqrt().item(), rel=0.2
    )  # Hutchinson's variance


def test_negative_curvature_is_not_mistaken_for_large():
    scales = torch.tensor([-100.0, 1.0, 2.0, 3.0, 0.5])
    assert curvature.top_eigenvalues(
        lambda x: (scales * x**2).sum() / 2, torch.zeros(5), 2
    ).tolist() == pytest.approx([3, 2], rel=1e-3)


def test_the_same_seed_gives_the_same_answer(trained):
    _, _, f, x = trained
    assert torch.equal(
        curvature.trace(f, x[0], samples=5)[0], curvature.trace(f, x[0], samples=5)[0]
    )
    assert torch.equal(curvature.top_eigenvalues(f, x[0]), curvature.top_eigenvalues(f, x[0]))


def test_lanczos_is_numpys_symmetric_solver():
    matrix = np.random.default_rng(0).standard_normal((40, 40))
    matrix = torch.from_numpy(matrix + matrix.T)
    found = curvature.top_eigenvalues(
        lambda x: x @ matrix @ x / 2, torch.zeros(40, dtype=torch.float64), 6, tolerance=1e-10
    )
    assert np.allclose(found, np.linalg.eigvalsh(matrix.numpy())[::-1][:6])


# -- multiple eigenvalues, zeros, negative ones: where Lanczos goes wrong --------------------------------------------


def quadratic(values, dtype=torch.float32):
    """f = sum of values times x^2 / 2: the eigenvalues of its Hessian are the values."""
    scales = torch.as_tensor(np.asarray(values, dtype=float)).to(dtype)
    return lambda x: (scales * x**2).sum() / 2


SPECTRA = {
    "ten negative values and fifty zeros": np.r_[np.repeat(np.arange(-1, -6, -1), 2), np.zeros(50)],
    "a hundred negative values and many zeros": np.r_[np.linspace(-1, -5, 100), np.zeros(500)],
    "a continuum below 0 and five zeros": np.r_[-np.linspace(0.001, 5, 1000), np.zeros(5)],
    "a continuum below 0": -np.linspace(0.001, 5, 1000),
    "nothing but zeros": np.zeros(200),
    "a small value above a large negative one": np.r_[1e-3, -np.linspace(0.1, 100, 300)],
    "a ninefold value": np.r_[np.full(9, 3.0), np.linspace(0, 2.5, 500)],
    "all equal": np.ones(300),
    "rank one": np.r_[5.0, np.zeros(700)],
    "rank one, negative": np.r_[-5.0, np.zeros(700)],
    "a triplet among larger negative ones": np.r_[3, 3, 3, 1, np.linspace(-100, 0.5, 400)],
    "very small": np.linspace(1, 2, 100) * 1e-20,
    "very large": np.linspace(1, 2, 100) * 1e10,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_eigenvalues_that_lanczos_alone_gets_wrong(spectrum, k, dtype):
    values = SPECTRA[spectrum]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = curvature.top_eigenvalues(
            quadratic(values, dtype), torch.zeros(len(values), dtype=dtype), k
        )
    wanted = np.sort(values)[::-1][:k]
    assert np.allclose(found, wanted, rtol=1e-3, atol=1e-5 * np.abs(values).max())


def test_many_random_spectra_with_multiple_values():
    rng = np.random.default_rng(0)
    for trial in range(40):
        several = rng.integers(2, 8)
        values = np.repeat(
            np.round(3 * rng.standard_normal(several), 2), rng.integers(10, 60, several)
        )
        found = curvature.top_eigenvalues(
            quadratic(values, torch.float64),
            torch.zeros(len(values), dtype=torch.float64),
            4,
            seed=trial,
        )
        assert np.allclose(found, np.sort(values)[::-1][:4], atol=1e-3 * np.abs(values).max()), (
            trial,
            values,
        )


def test_a_function_without_curvature_has_eigenvalues_of_zero():
    assert curvature.top_eigenvalues(lambda x: (x * 0).sum(), torch.zeros(50)).tolist() == [0]
    assert curvature.top_eigenvalues(lambda x: (x * 0).sum(), torch.zeros(500), 2).tolist() == [
        0,
        0,
    ]
    assert curvature.top_eigenvalues(lambda x: x.sum(), torch.zeros(500)).tolist() == [0]


def test_all_eigenvalues_of_a_small_function():
    values = torch.tensor([2.0, -1, 2, 0, -3])
    found = curvature.top_eigenvalues(quadratic(values), torch.zeros(5), 5)
    assert found.tolist() == [2, 2, 0, -1, -3]


def test_a_stack_with_statistics_frozen_row_by_row(trained):
    _, _, f, x = trained
    frozen = f.frozen_at(x)
    both = curvature.top_eigenvalues(frozen, x, 2)
    means, _ = curvature.trace(frozen, x, samples=4)
    assert both.shape == (2, 2)
    for s in (0, 1):
        alone = f.frozen_at(x[s])
        assert torch.allclose(both[s], curvature.top_eigenvalues(alone, x[s], 2), rtol=1e-3)
        assert float(means[s]) == pytest.approx(
            float(curvature.trace(alone, x[s], samples=4)[0]), rel=1e-4
        )


class Watched(nn.Module):
    """Two layers, and how often they were passed."""

    passes = 0

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(40, 8), nn.Tanh(), nn.Linear(8, 10))

    def forward(self, x):
        Watched.passes += 1
        return self.layers(x)


@pytest.mark.parametrize("chunk, share", [(300, True), (100, False)])
def test_products_at_one_point_share_their_passes_where_all_samples_are_one_chunk(chunk, share):
    """Bit for bit those that are made one by one, for one point and for a stack; only one chunk's graph is kept."""
    signals = data.load("mnist1d", device="cpu", train_size=300)
    f = Objective(Watched(), signals.x_train, signals.y_train, chunk=chunk)
    x = start(f.network, [0, 1])
    vectors = torch.randn(3, f.n, generator=torch.Generator().manual_seed(0))
    for points in (x[0], x):
        alone = [f.hessian_vector(points, v) for v in vectors]
        product, Watched.passes = f.hessian_at(points), 0
        together = [product(v) for v in vectors]
        assert all(torch.equal(one, other) for one, other in zip(alone, together))
        models = 1 if points.dim() == 1 else 2
        assert Watched.passes == models * (1 if share else 3 * 3)
    with pytest.raises(ValueError, match="v has shape"):
        f.hessian_at(x[0])(torch.ones(f.n + 1))


class Counted:
    def __init__(self, f):
        self.f, self.products = f, 0

    def __getattr__(self, name):
        return getattr(self.f, name)

    def hessian_at(self, x):
        product = self.f.hessian_at(x)

        def counted(v):
            self.products += 1
            return product(v)

        return counted


def test_one_value_costs_two_products_beside_lanczos(trained):
    """The book's use: F0's largest eigenvalue to a hundredth took 11 products without the checks."""
    _, _, f, x = trained
    counted = Counted(f)
    curvature.top_eigenvalues(counted, x[0], 1, tolerance=1e-2)
    assert counted.products <= 14


def test_a_value_that_is_not_reached_is_said(trained):
    """float32 products of a rough function: a residual of 1e-9 is out of reach, and a warning says what was reached."""
    noise = torch.Generator().manual_seed(0)

    class Rough(Counted):
        def hessian_at(self, x):
            product = self.f.hessian_at(x)
            return lambda v: product(v) * (1 + 1e-2 * torch.randn(len(v), generator=noise))

    _, _, f, x = trained
    with pytest.warns(
        EigenvalueWarning, match=r"is known to .*, not to the tolerance 1e-06 of itself"
    ):
        curvature.top_eigenvalues(Rough(f), x[0], tolerance=1e-6)
