"""Whether several models of a module may share one call, by `torch.func.vmap`, asked once on a few samples.

They may where vmap gives the loop's outputs and gradients. Where the forward branches on numbers, draws, leaves a
tensor on the module or changes one, or where torch has no rule for one of its layers, it is one model after another.
"""

from __future__ import annotations

import math
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from labsupport.engine import probe
from labsupport.engine.functional import SHARED_OPERATIONS, Functional

#: How far vmap's float64 numbers may lie from the loop's, as a part of the largest: another order of sums moves these.
TOLERANCE = 1e-10


def work(network: Functional, x: Tensor, inputs: Tensor) -> float:
    """Operations of one model on one sample, forward; infinite where models cannot share a call.

    ``x`` (n,) is a point and ``inputs`` (B, ...) are a few samples. On a GPU it is always infinite:
    a small step is recorded and replayed there, and the gain has not been measured.
    """
    if x.device.type != "cpu" or 4 * len(x) > SHARED_OPERATIONS:
        return math.inf
    with torch.no_grad(), Products() as counted:
        network.one_by_one(x[None], inputs)
    found = max(counted.operations / len(inputs), 2.0 * len(x))
    worth = 2 * found <= SHARED_OPERATIONS  # two samples are the least
    return found if worth and _agree(network, x, inputs) else math.inf


class Products(TorchFunctionMode):
    """Counts the operations of matrix products and convolutions: 2 a multiplication, with the sum behind it.

    Those within torch's attention and recurrent layers are not seen; so `work` is at least 2 a parameter.
    """

    LAYERS = (F.linear, F.conv1d, F.conv2d, F.conv3d)
    MATRICES = (torch.matmul, torch.bmm, torch.mm, Tensor.matmul, Tensor.__matmul__)

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if function in self.LAYERS and len(args) > 1:
            self.operations += 2 * out.numel() * args[1][0].numel()  # weights of one output
        elif function in self.MATRICES and len(args) > 1:
            self.operations += 2 * out.numel() * args[0].shape[-1]
        return out


def _agree(network: Functional, x: Tensor, inputs: Tensor) -> bool:
    """Whether vmap and the loop give the same outputs and gradients in float64, at x and beside it."""
    exact, loop = (network.to(x.device, torch.float64) for _ in range(2))
    points, inputs = probe.in_float64(x, inputs)
    own = torch.stack([inputs, inputs.flip(0)])  # each model has samples of its own
    with exact.borrowed() as lent:  # the copy that the call below borrows, too
        before = _held(lent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # vmap warns where it is a loop inside
            found = _with_slope(exact.in_one_call, points, own)
    except Exception:
        return False
    wanted = _with_slope(lambda at, batch: loop.one_by_one(at, batch, shared=False), points, own)
    return before == _held(lent) and all(map(_near, found, wanted))


def _with_slope(function, points: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (S, K, B), and the gradient (S, n) of a weighted sum of them."""
    leaf = points.detach().requires_grad_()
    with torch.enable_grad():
        out = function(leaf, inputs)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
        if not out.requires_grad:
            return out, torch.zeros_like(leaf)
        return out.detach(), torch.autograd.grad((weights * out).sum(), leaf)[0]


def _near(found: Tensor, wanted: Tensor) -> bool:
    scale = float(wanted.abs().nan_to_num(0, 0, 0).max())
    return found.shape == wanted.shape and torch.allclose(
        found, wanted, rtol=0, atol=TOLERANCE * max(scale, 1e-6), equal_nan=True
    )


def _held(module: nn.Module) -> list[tuple[int, int]]:
    """Which tensors the module holds, and how often each has been written to."""
    return [
        (id(value), value._version)
        for part in module.modules()
        for group in (part._buffers, part._parameters, vars(part))
        for value in group.values()
        if isinstance(value, Tensor)
    ]
