"""What any function of a point can do once it is adapted, and what is said about points that cannot be."""

import pytest
import torch

from labsupport.engine.functions import Plain, adapt, check_points


def cubic(x):
    return (x**3).sum()


def test_values_gradients_and_products():
    f, x = adapt(cubic), torch.tensor([1.0, 2.0])
    assert float(f(x)) == 9 and f(x).dtype == torch.float64
    assert f.gradient(x).tolist() == [3, 12]
    assert f.hessian_vector(x, torch.tensor([1.0, 1.0])).tolist() == [6, 12]


def test_a_stack_row_by_row():
    f, x = adapt(cubic), torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    value, gradient = f.value_and_gradient(x)
    assert (
        value.tolist() == [9, -1]
        and gradient.tolist() == [[3, 12], [0, 3]]
        and f(x).tolist() == [9, -1]
    )


def test_a_float64_point_of_a_float32_function():
    f = adapt(lambda x: torch.ones(2) @ x, torch.float32)
    value, gradient = f.value_and_gradient(torch.ones(2, dtype=torch.float64))
    assert float(value) == 2 and gradient.dtype == torch.float64


def test_what_can_already_do_it_is_left_as_it_is():
    f = Plain(cubic, torch.float32)
    assert adapt(f) is f and f.double() is f


def test_gradients_are_taken_even_where_they_are_switched_off():
    with torch.no_grad():
        assert adapt(cubic).gradient(torch.ones(1)).tolist() == [3]


@pytest.mark.parametrize(
    "x, error, says",
    [
        ("x", TypeError, "x is a str; a torch Tensor of shape"),
        (
            torch.zeros(()),
            ValueError,
            r"x has shape \(\); points of this function have shape \(n,\) or \(S, n\)",
        ),
        (torch.zeros(0), ValueError, "holds no point"),
        (torch.tensor([1.0, torch.nan]), ValueError, "x has 1 entries that are not finite numbers"),
        (
            torch.zeros(2, dtype=torch.int64),
            TypeError,
            "x holds torch.int64; floating-point numbers are needed",
        ),
    ],
)
def test_bad_points(x, error, says):
    with pytest.raises(error, match=says):
        check_points(x)


def test_a_point_becomes_a_stack_of_one():
    assert check_points(torch.zeros(3)).shape == (1, 3) and check_points(
        torch.zeros(2, 3), 3
    ).shape == (2, 3)
