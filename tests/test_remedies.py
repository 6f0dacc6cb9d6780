"""The pieces of a step on functions whose answer is known, and what augmentation may and may not do."""

import pytest
import torch

from labsupport import remedies


def bowl(scales):
    """Loss sum(scales * x^2) / 2 of each row, whatever the batch."""
    return lambda points, inputs, labels: ((scales * points**2).sum(1) / 2, scales * points)


NONE = (torch.zeros(1, 4, 1), torch.zeros(1, 4))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("warmup", [0, 1, 5])
def test_warm_up_ends_at_the_rate_and_stays(warmup):
    rates = [remedies.warmed_up(0.3, step, warmup) for step in range(10)]
    assert rates[max(warmup - 1, 0) :] == [0.3] * (10 - max(warmup - 1, 0))
    assert rates == sorted(rates) and rates[0] == pytest.approx(0.3 / max(warmup, 1))


def test_growth_without_entries_is_constant():
    assert [remedies.batch_size_at(epoch, 32, ()) for epoch in (0, 9)] == [32, 32]


@pytest.mark.parametrize(
    "batch, size, groups",
    [
        (12, 4, [4, 4, 4]),
        (14, 4, [4, 4, 6]),
        (15, 4, [4, 4, 7]),
        (3, 4, [3]),
        (4, 4, [4]),
        (8, 3, [3, 5]),
    ],
)
def test_ghost_groups(batch, size, groups):
    seen = []

    def gradient(points, inputs, labels):
        seen.append(labels.shape[1])
        return inputs.mean((1, 2)), inputs.mean((1, 2))[:, None]

    inputs = torch.rand(2, batch, 1, generator=generator())
    loss, slope = remedies.ghost(gradient, size)(torch.zeros(2, 1), inputs, torch.zeros(2, batch))
    assert seen == groups
    # weighted by their sizes
    assert torch.allclose(loss, inputs.mean((1, 2))) and torch.allclose(slope[:, 0], loss)


def test_sam_climbs_rho_along_the_gradient_first():
    scales, x = torch.tensor([1.0, 4.0]), torch.tensor([[3.0, 1.0]])
    loss, g = remedies.sharpness_aware(bowl(scales), 0.5)(x, *NONE)
    assert torch.allclose(g, scales * (x + 0.5 * torch.tensor([[3.0, 4.0]]) / 5))
    assert float(loss) == 6.5  # of the point itself


def test_asam_does_not_see_a_rescaling():
    """The second weight in units a hundred times smaller: the same function, and the ascended point is the same too."""
    scales, x, rho = torch.tensor([1.0, 4.0]), torch.tensor([[30.0, 10.0]]), 0.5
    unit = torch.tensor([1.0, 100.0])
    points = []
    for factor in (torch.ones(2), unit):
        seen = []

        def gradient(p, inputs, labels, factor=factor, seen=seen):
            seen.append(p / factor)
            return bowl(scales / factor**2)(p, inputs, labels)

        remedies.sharpness_aware(gradient, rho, adaptive=True)(x * factor, *NONE)
        points.append(seen[1])
    assert torch.allclose(points[0], points[1], rtol=1e-2)  # but for eta, .01 beside 10 and more
    assert (points[0] - x).abs().min() > 0.01


def test_sam_at_a_minimum_stays_finite():
    _, g = remedies.sharpness_aware(bowl(torch.ones(2)), 0.1)(torch.zeros(1, 2), *NONE)
    assert torch.equal(g, torch.zeros(1, 2))


def test_the_proximal_term_pulls_to_its_anchor():
    x, anchor = torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 1.0]])
    loss, g = remedies.proximal(bowl(torch.ones(2)), 10.0, anchor)(x, *NONE)
    assert torch.allclose(g, torch.tensor([[3.0 + 20.0, 1.0]])) and float(loss) == 5.0


def test_each_model_climbs_alone():
    scales, x = torch.tensor([1.0, 4.0]), torch.tensor([[3.0, 1.0], [-1.0, 2.0]])
    climb = remedies.sharpness_aware(bowl(scales), 0.5)
    assert torch.allclose(climb(x, *NONE)[1][1:], climb(x[1:], *NONE)[1])


# -- augmentation --------------------------------------------------------------------------------------------------


def test_signals_are_shifted_scaled_and_hardly_more():
    """Every new signal is an old one, rolled by at most 2 and scaled by at most 10 %, but for noise of .05."""
    signals = torch.randn(50, 40, generator=generator(1))
    changed = remedies.augment_signals(signals, generator())
    best = []
    for old, new in zip(signals, changed):
        fits = []
        for shift in range(-2, 3):
            rolled = old.roll(shift)
            scale = float(rolled @ new / (rolled @ rolled))
            fits.append((float((new - scale * rolled).norm()) / 40**0.5, shift, scale))
        best.append(min(fits))
    residual, shifts, scales = zip(*best)
    assert max(residual) < 0.08 and set(shifts) == {-2, -1, 0, 1, 2}
    assert 0.85 < min(scales) < 0.95 < 1.05 < max(scales) < 1.15


def blob(row, column, size=33):
    r, c = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.exp(-((r - row) ** 2 + (c - column) ** 2) / 8.0)


def centre(picture):
    r, c = torch.meshgrid(
        torch.arange(picture.shape[-2]), torch.arange(picture.shape[-1]), indexing="ij"
    )
    mass = picture.sum()
    return float((r * picture).sum() / mass), float((c * picture).sum() / mass)


def test_images_move_by_up_to_a_fifth():
    """A spot in the middle stays where rotation and flip leave it, so what it moves is the shift, itself turned by
    up to ten degrees: an axis may see up to (cos 10 + sin 10) fifths."""
    changed = remedies.augment_images(blob(16, 16).expand(200, 1, 33, 33), generator())
    moved = torch.tensor([centre(picture[0]) for picture in changed]) - 16
    assert 5.5 < moved.abs().max() < 0.2 * 33 * 1.16 + 0.2 and moved.abs().median() > 2
    assert abs(moved.mean()) < 1


def test_images_are_flipped_half_of_the_time_and_turned_by_ten_degrees():
    """Two spots, a large one left and a small one right: their order tells the flip, their slope the angle."""
    picture = blob(16, 11) + 0.5 * blob(16, 21)
    changed = remedies.augment_images(picture.expand(300, 1, 33, 33), generator())[:, 0]
    angles, flips = [], 0
    for image in changed:
        peak = divmod(int(image.argmax()), 33)
        rest = image * (
            torch.cdist(
                torch.stack(
                    torch.meshgrid(torch.arange(33.0), torch.arange(33.0), indexing="ij"), -1
                ).view(-1, 2),
                torch.tensor([peak]).float(),
            ).view(33, 33)
            > 5
        )
        other = centre(rest)
        large = centre(image - rest)
        across = other[1] - large[1]
        flips += across < 0
        angles.append(
            abs(torch.rad2deg(torch.atan((torch.tensor(other[0] - large[0])) / abs(across)))).item()
        )
    assert 110 < flips < 190
    assert 8 < max(angles) < 11.5


def test_outside_the_picture_there_is_black():
    changed = remedies.augment_images(torch.ones(50, 3, 32, 32), generator())
    assert changed.min() == 0 and changed.max() == pytest.approx(1, abs=1e-5)
    assert (changed.flatten(1).min(1).values == 0).float().mean() > 0.9


@pytest.mark.parametrize("name, shape", [("signals", (40,)), ("images", (3, 32, 32))])
def test_augmentation_keeps_shapes_and_repeats_itself(name, shape):
    inputs = torch.rand(2, 5, *shape, generator=generator(1))
    once, again = (remedies.AUGMENTATIONS[name](inputs, generator(3)) for _ in range(2))
    assert once.shape == inputs.shape and torch.equal(once, again)
    assert not torch.equal(once[0], remedies.AUGMENTATIONS[name](inputs, generator(4))[0])
