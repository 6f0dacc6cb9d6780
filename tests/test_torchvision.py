"""Torchvision's architectures against torch itself: their own blocks, few and narrow, on small images.

The blocks are torchvision's; only depth and width are ours, so that all of it takes seconds.
"""

import copy

import pytest
import torch
from torch import nn

from labsupport.objective import Objective, flatten, unflatten

torchvision = pytest.importorskip("torchvision")

from torchvision.models import (  # noqa: E402
    convnext,
    densenet,
    maxvit,
    regnet,
    swin_transformer,
    vgg,
    vision_transformer,
)

CLASSES = 5


def small_vgg():
    network = vgg.VGG(vgg.make_layers([8, "M", 12, "M"], batch_norm=True), init_weights=False)
    network.avgpool, network.classifier = nn.AdaptiveAvgPool2d(2), nn.Linear(48, CLASSES)
    return network


def small_maxvit():
    sizes = dict(block_channels=[8, 8], block_layers=[1, 1], head_dim=4)
    return maxvit.MaxVit((32, 32), 8, 2, stochastic_depth_prob=0.2, num_classes=CLASSES, **sizes)


def small_convnext():
    blocks = [convnext.CNBlockConfig(8, 12, 1), convnext.CNBlockConfig(12, None, 1)]
    return convnext.ConvNeXt(blocks, stochastic_depth_prob=0.2, num_classes=CLASSES)


def small_regnet():
    sizes = regnet.BlockParams.from_init_params(2, 8, 8.0, 2.0, 8, se_ratio=0.25)
    return regnet.RegNet(sizes, num_classes=CLASSES, stem_width=8)


#: Each family, small: a function without arguments, and the side of the images that it takes.
FAMILIES = {
    "convnext": (small_convnext, 16),
    "densenet": (lambda: densenet.DenseNet(4, (1, 1), 8, num_classes=CLASSES), 32),
    "maxvit": (small_maxvit, 32),
    "regnet": (small_regnet, 16),
    "swin": (
        lambda: swin_transformer.SwinTransformer(
            [2, 2], 8, [1, 1], [2, 2], [2, 2], num_classes=CLASSES
        ),
        16,
    ),
    "vgg": (small_vgg, 8),
    "vit": (
        lambda: vision_transformer.VisionTransformer(8, 4, 2, 2, 8, 16, num_classes=CLASSES),
        8,
    ),
}


def torchs(network, x, inputs, labels, v):
    """Loss, gradient and Hessian product of a copy with weights x, by autograd alone; each batch norm on its batch."""
    module = copy.deepcopy(network).to(x.dtype).eval()
    module.load_state_dict(unflatten(x, module))
    for layer in module.modules():
        layer.training = isinstance(layer, nn.modules.batchnorm._NormBase)
    weights = list(module.parameters())
    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        loss = nn.functional.cross_entropy(module(inputs), labels)
        gradient = vector(torch.autograd.grad(loss, weights, create_graph=True))
        product = vector(torch.autograd.grad(gradient @ v, weights))
    return loss.detach(), gradient.detach(), product


def vector(parts):
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_an_architecture_of_torchvision_is_torchs(name):
    make, side = FAMILIES[name]
    torch.manual_seed(0)
    network = make()
    images, labels = torch.rand(6, 3, side, side), torch.arange(6) % CLASSES
    f = Objective(network, images.double(), labels)
    x = flatten(network).double()
    x = x + 0.02 * torch.randn_like(x)  # away from weights that begin at zero
    v = torch.randn_like(x)
    loss, gradient, product = torchs(network, x, images.double(), labels, v)
    found, slope = f.value_and_gradient(x)
    assert found == pytest.approx(float(loss), rel=1e-9)
    assert (slope - gradient).norm() <= 1e-8 * gradient.norm()
    assert (f.hessian_vector(x, v) - product).norm() <= 1e-7 * product.norm()


def test_regnets_gradient_in_float32_is_as_far_from_float64_as_torchs():
    """What float32 loses there is the network's own conditioning: torch's module loses as much.

    Of regnet_y_400mf, 8 images of 32 x 32, torch's own gradient in float32 is 2 percent from that in float64, and so is
    ours; in float64 the two differ by 3e-15.
    """
    torch.manual_seed(0)
    network = small_regnet()
    images, labels = torch.rand(6, 3, 16, 16), torch.arange(6) % CLASSES
    x = flatten(network)
    v = torch.zeros_like(x)
    exact = torchs(network, x.double(), images.double(), labels, v.double())[1]
    theirs = (torchs(network, x, images, labels, v)[1] - exact).norm() / exact.norm()
    ours = (Objective(network, images, labels).gradient(x) - exact).norm() / exact.norm()
    print(f"float32 differs from float64 by {float(ours):.1e}, torch's own by {float(theirs):.1e}")
    assert ours <= 10 * theirs + 1e-6
