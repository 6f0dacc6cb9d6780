"""Random manifolds against NumPy's pseudo-inverse, in memory and made again block by block."""

import numpy as np
import pytest
import torch
import twins

from labsupport import subspace
from labsupport.subspace import FullSpace, RandomManifold


def dense(space):
    """A (n, p), column by column."""
    return space.matvec(torch.eye(space.p, dtype=space.dtype)).T


@pytest.mark.parametrize("n, p", [(300, 1), (300, 7), (300, 25), (60, 60), (5, 5), (2, 2), (1, 1)])
def test_coordinates_are_the_pseudo_inverse_times_x(n, p):
    for seed in range(5):
        space = RandomManifold(n, p, seed, torch.zeros(1))
        x = torch.randn(2, n, generator=torch.Generator().manual_seed(seed))
        slow = x.double().numpy() @ twins.pseudo_inverse(dense(space)).T
        assert np.allclose(
            space.coordinates(x).numpy(), slow, rtol=1e-4, atol=1e-4 * np.abs(slow).max()
        )


def test_matvec_and_rmatvec_are_a_and_its_transpose():
    space = RandomManifold(200, 23, 1, torch.zeros(1))
    a = dense(space)
    y, g = torch.randn(3, 23), torch.randn(3, 200)
    assert torch.allclose(space.matvec(y), y @ a.T, atol=1e-5) and torch.allclose(
        space.rmatvec(g), g @ a, atol=1e-4
    )
    assert torch.allclose((space.matvec(y) * g).sum(1), (y * space.rmatvec(g)).sum(1), atol=1e-3)


def test_columns_made_again_are_the_columns_kept(monkeypatch):
    kept = RandomManifold(200, 23, 4, torch.zeros(1))
    monkeypatch.setattr(subspace, "free_bytes", lambda device: 0)
    remade = RandomManifold(200, 23, 4, torch.zeros(1))
    assert kept._kept is not None and remade._kept is None
    assert torch.equal(dense(kept), dense(remade))
    x = torch.randn(2, 200)
    assert torch.allclose(kept.coordinates(x), remade.coordinates(x), atol=1e-5)


def test_entries_are_standard_normal_and_independent():
    a = dense(RandomManifold(20_000, 12, 0, torch.zeros(1))).double()
    assert a.mean(0).abs().max() < 0.03 and (a.std(0) - 1).abs().max() < 0.02
    correlation = torch.corrcoef(a.T) - torch.eye(12)
    assert correlation.abs().max() < 0.04  # also between columns of different blocks


def test_another_seed_is_another_manifold_and_the_same_seed_the_same():
    one, same, other = (dense(RandomManifold(50, 5, seed, torch.zeros(1))) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.allclose(one, other)


def test_torchs_own_generator_is_left_alone():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    RandomManifold(50, 5, 1, torch.zeros(1)).coordinates(torch.ones(1, 50))
    assert torch.equal(state, torch.get_rng_state())


def test_a_float64_point_is_lifted_by_the_same_a():
    space = RandomManifold(50, 5, 1, torch.zeros(1))
    y = torch.randn(2, 5)
    assert (
        torch.allclose(space.matvec(y.double()).float(), space.matvec(y), atol=1e-5)
        and space.matvec(y.double()).dtype == torch.float64
    )


def test_full_space_is_the_identity():
    x = torch.randn(2, 5)
    space = FullSpace()
    assert space.coordinates(x) is x and space.matvec(x) is x and space.rmatvec(x) is x


def test_a_is_kept_only_in_a_quarter_of_the_free_memory(monkeypatch):
    monkeypatch.setattr(subspace, "free_bytes", lambda device: 4 * 100 * 10 * 4)
    assert RandomManifold(100, 10, 0, torch.zeros(1))._kept is None
    assert RandomManifold(100, 9, 0, torch.zeros(1))._kept is not None


def test_free_memory_is_a_number_here():
    assert subspace.free_bytes(torch.device("cpu")) > 2**20
