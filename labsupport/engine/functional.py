"""Any module as a function of x: `torch.func.functional_call`, one model after another or several in one call.

The module is copied once and put into evaluation mode, so that dropout is off and nothing of the caller's is touched.
Whose statistics batch norm uses is decided where it is called: a `Norms` stands between the module and torch's
``batch_norm``, whatever layer the call comes from, and counts the calls. So a layer that is used twice has two
statistics, and running ones are never updated.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from labsupport.engine.copies import held_as, private_copy
from labsupport.engine.layout import Layout, aligned

#: Statistics of one batch norm for S models: mean (S, C) and biased variance (S, C).
Statistics = tuple[Tensor, Tensor]
#: What batch norm says to a batch of one.
ONE_SAMPLE = "Batch norm needs at least 2 samples in a batch to form a variance; this batch has 1."


class NothingCarried(ValueError):
    """A batch norm without running statistics that is asked for them."""

    def __init__(self, layer: str):
        super().__init__(
            f"{layer} carries no running statistics. Use statistics='batch', or objective.frozen_at(x), "
            "which measures them at x."
        )


class Norms(TorchFunctionMode):
    """Batch norm's statistics while a network is called: the batch's own, those it carries, or ``frozen`` ones.

    ``frozen`` and ``observe`` are {number of the call, as text: (mean (C,), variance (C,))}; the second receives them.
    """

    def __init__(
        self, *, carried: bool = False, frozen: dict | None = None, observe: dict | None = None
    ):
        super().__init__()
        self.carried, self.frozen, self.observe = carried, frozen, observe
        self.calls = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if function is F.instance_norm and not self.carried:
            return self._instance_norm(*args, **kwargs)
        return function(*args, **kwargs)

    def _batch_norm(
        self,
        h,
        running_mean,
        running_var,
        weight=None,
        bias=None,
        training=False,
        momentum=0.1,
        eps=1e-5,
    ):
        name = str(self.calls)
        self.calls += 1
        if self.frozen is not None:
            mean, variance = self.frozen[name]
            return F.batch_norm(h, mean, variance, weight, bias, False, 0.0, eps)
        if self.carried and self.observe is None:
            if running_mean is None:
                raise NothingCarried(f"Batch norm number {self.calls}")
            return F.batch_norm(h, running_mean, running_var, weight, bias, False, 0.0, eps)
        if h.numel() // h.shape[1] < 2:
            raise ValueError(ONE_SAMPLE)
        if self.observe is not None:
            axes = [d for d in range(h.dim()) if d != 1]
            variance, mean = torch.var_mean(h.detach(), axes, correction=0)
            self.observe[name] = (mean, variance)
        return F.batch_norm(h, None, None, weight, bias, True, 0.0, eps)

    @staticmethod
    def _instance_norm(
        h,
        running_mean=None,
        running_var=None,
        weight=None,
        bias=None,
        use_input_stats=True,
        momentum=0.1,
        eps=1e-5,
    ):
        return F.instance_norm(h, None, None, weight, bias, True, 0.0, eps)


def _of_model(moments: Tensor, s: int) -> Tensor:
    """The row (C,) of model s; the only one (1, C) holds for all."""
    return moments[s if len(moments) > 1 else 0]


#: Models share a call, by `torch.func.vmap`, from this many on: two gain nothing (1.1 and 1.0 times the loop's time).
SHARING_MODELS = 3
#: And up to so many operations of one model's forward pass. For the gradients of five models of a residual network of
#: 30,000 parameters, vmap takes .54 times the loop's time at B = 8 (.5 million operations), .65 at 32 (2), .60 at 64
#: (4), .80 at 128 (8) and .85 at 256 (15), where single rounds reach 1.05; for twenty models .32 to .46 up to B = 64.
#: With norms .59 to .69, with two convolutions .45 to .83, by operations the same (``python -m benchmarks.vmap``).
SHARED_OPERATIONS = 8_000_000


class Functional:
    """Any module at S points: one after another, or several in one call by `torch.func.vmap`.

    Parameters
    ----------
    network
        Copied; its parameters that require a gradient are x, all else is held as it is now.
    carried
        Whether batch norm uses the running statistics that the module carries, or each batch's own.

    Attributes
    ----------
    work : float
        Operations of one model on one sample, forward; infinite where the models cannot share a
        call, as until `vmapped.work` has found out.
    """

    name = "functional"

    def __init__(
        self, network: nn.Module, *, carried: bool, device: torch.device, dtype: torch.dtype
    ):
        self.layout, self.carried = Layout.of(network), carried
        self.source = private_copy(network)
        self.module = held_as(self.source, device, dtype).eval()
        self.spare: list[nn.Module] = []
        self.work = math.inf

    def sharing(self, models: int, batch: int) -> int:
        """How many of the models are computed in one call, on ``batch`` samples each: all or one."""
        pays = models >= SHARING_MODELS and self.work * batch <= SHARED_OPERATIONS
        return models if pays else 1

    @contextmanager
    def borrowed(self):
        """A copy for this thread alone: `functional_call` puts x into it for the time of a call.

        ``module`` itself is never lent, so that another thread can copy it meanwhile.
        """
        module = self.spare.pop() if self.spare else private_copy(self.module)
        try:
            yield module
        finally:
            self.spare.append(module)

    def logits(
        self,
        points: Tensor,
        inputs: Tensor,
        *,
        shared: bool = True,
        frozen: dict[str, Statistics] | None = None,
        observe: dict[str, Statistics] | None = None,
        dropout: Sequence[torch.Generator] = (),
    ) -> Tensor:
        """Outputs with the samples last: (S, K, B) from points (S, n).

        ``inputs`` is (B, ...), the same for all models, where ``shared``, else (S, B, ...).
        ``frozen`` holds (mean, variance) of each batch norm, (S, C) or (1, C) for all; ``observe``
        receives them. With ``dropout``, a generator a model, the network drops as in training.
        These three, and what vmap refuses, are computed one model after another.
        """
        if frozen is None and observe is None and not dropout:
            batch = len(inputs) if shared else inputs.shape[1]
            if self.sharing(len(points), batch) > 1:
                own = inputs.expand(len(points), *inputs.shape) if shared else inputs
                try:
                    return self.in_one_call(points, own)
                except Exception:  # if the samples are to blame, the line below says so
                    found = self.one_by_one(points, inputs, shared=shared)
                    self.work = math.inf
                    return found
        return self.one_by_one(
            points, inputs, shared=shared, frozen=frozen, observe=observe, dropout=dropout
        )

    def in_one_call(self, points: Tensor, inputs: Tensor) -> Tensor:
        """Outputs (S, K, B) from points (S, n) and inputs (S, B, ...), by `torch.func.vmap`."""

        def one(at: dict[str, Tensor], batch: Tensor) -> Tensor:
            with Norms(carried=self.carried):
                return torch.func.functional_call(module, at, (batch,)).movedim(0, -1)

        with self.borrowed() as module:
            return torch.func.vmap(one)(self.layout.split(points), inputs)

    def one_by_one(
        self,
        points: Tensor,
        inputs: Tensor,
        *,
        shared: bool = True,
        frozen: dict[str, Statistics] | None = None,
        observe: dict[str, Statistics] | None = None,
        dropout: Sequence[torch.Generator] = (),
    ) -> Tensor:
        """As `logits`, one model after another."""
        rows: list[Tensor] = []
        seen: list[dict[str, Statistics]] = []
        for s, point in enumerate(points):
            held = frozen and {
                name: (_of_model(mean, s), _of_model(variance, s))
                for name, (mean, variance) in frozen.items()
            }
            found: dict[str, Statistics] | None = None if observe is None else {}
            mode = Norms(carried=self.carried, frozen=held, observe=found)
            at = {name: aligned(part) for name, part in self.layout.split_one(point).items()}
            with self.borrowed() as module, dropping(module, dropout[s] if dropout else None), mode:
                out = torch.func.functional_call(module, at, (inputs if shared else inputs[s],))
            rows.append(out.movedim(0, -1))  # (B, K) -> (K, B)
            if found is not None:
                seen.append(found)
        if observe is not None:
            for name in seen[0]:
                means, variances = zip(*(one[name] for one in seen))
                observe[name] = (torch.stack(means), torch.stack(variances))
        return torch.stack(rows)

    def to(self, device: torch.device, dtype: torch.dtype) -> Functional:
        """The same network with its held tensors in another precision."""
        other = copy.copy(self)
        other.module = held_as(self.source, device, dtype).eval()
        other.spare = []
        return other


@contextmanager
def dropping(module: nn.Module, generator: torch.Generator | None):
    """In the block, with a ``generator``, all but norms is in training mode, and dropout draws from that one alone.

    Torch's dropout knows torch's own generator only: for the block that one takes this one's state, and gives it back.
    """
    if generator is None:
        yield
        return
    cuda = generator.device.type == "cuda"
    with torch.random.fork_rng(devices=[generator.device] if cuda else []):
        state = generator.get_state()
        torch.cuda.set_rng_state(state, generator.device) if cuda else torch.set_rng_state(state)
        try:
            for part in module.modules():
                part.training = not isinstance(part, nn.modules.batchnorm._NormBase)
            yield
        finally:
            module.eval()
            generator.set_state(
                torch.cuda.get_rng_state(generator.device) if cuda else torch.get_rng_state()
            )
