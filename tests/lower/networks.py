"""Small modules, each with something that lowering must get right; inputs are [N, 3, 8, 8]."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

INPUT_SHAPE = (3, 8, 8)


class Composed(nn.Module):
    """Named layers, and a function of them and the input as forward."""

    def __init__(self, compute: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.compute = compute
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(self, x)


def conv_bn(inputs: int, outputs: int, kernel: int = 3, **options: object) -> nn.Sequential:
    padding = options.pop("padding", kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False, **options)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def flatten_of_area() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 5, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 7)
    )


def depthwise_relu6() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 6, stride=2, padding=1),
        nn.ReLU6(),
        conv_bn(6, 12, groups=6),
        nn.ReLU6(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 4),
    )


def groups_of_channels() -> nn.Module:
    return nn.Sequential(
        conv_bn(3, 8),
        nn.ReLU(),
        conv_bn(8, 12, groups=4, stride=2),
        nn.ReLU(),
        conv_bn(12, 6, kernel=1, groups=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )


def residual_without_activation() -> nn.Module:
    return Composed(
        lambda m, x: m.head((m.stem(x) + m.right(m.stem(x))).mean((2, 3))),
        stem=conv_bn(3, 6),
        right=conv_bn(6, 6),
        head=nn.Linear(6, 5),
    )


def value_before_and_after_relu() -> nn.Module:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        y = m.stem(x)
        z = functional.relu(y)
        z += y
        return m.head(functional.relu(z))

    return Composed(compute, stem=conv_bn(3, 4), head=nn.Conv2d(4, 2, 1))


def squeeze_excite() -> nn.Module:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        y = functional.relu(m.stem(x))
        gate = torch.sigmoid(m.up(functional.relu(m.down(functional.adaptive_avg_pool2d(y, 1)))))
        return m.head((y * gate).mean(dim=(-1, -2)))

    return Composed(
        compute,
        stem=conv_bn(3, 8),
        down=nn.Conv2d(8, 2, 1),
        up=nn.Conv2d(2, 8, 1),
        head=nn.Linear(8, 3),
    )


def branches() -> nn.Module:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        y = functional.relu(m.stem(x))
        z = torch.cat([m.a(y), torch.sigmoid(m.b(y)), functional.max_pool2d(y, 3, 1, 1)], 1)
        return m.head(z)

    return Composed(
        compute,
        stem=conv_bn(3, 4),
        a=conv_bn(4, 3),
        b=nn.Conv2d(4, 2, 1),
        head=nn.Conv2d(9, 4, 1),
    )


def pools() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.AvgPool2d(3, 1, 1),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
        nn.Softmax(dim=1),
    )


def constants_and_silu() -> nn.Module:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        x = (x - 0.3) / torch.tensor([1.0, 2.0, 0.5]).view(1, 3, 1, 1)
        y = functional.silu(m.stem(functional.pad(x, (1, 2, 0, 1))))
        y = m.norm(2.0 - y)
        return m.head(functional.dropout(y.flatten(1), 0.5, m.training))

    return Composed(
        compute,
        stem=nn.Conv2d(3, 4, (2, 3), stride=(3, 4)),
        norm=nn.BatchNorm2d(4),
        head=nn.Linear(36, 5),
    )


def shared_layer() -> nn.Module:
    return Composed(
        lambda m, x: m.twice(functional.relu(m.twice(x))), twice=nn.Conv2d(3, 3, 3, padding=1)
    )


def dense_only() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4)
    )


def flattened_parts() -> nn.Module:
    def compute(m: nn.Module, x: Tensor) -> Tensor:
        a, b = functional.relu(m.a(x)).flatten(1), m.b(x).flatten(1)
        return m.head(torch.cat([a + a, b], dim=1))

    return Composed(
        compute,
        a=nn.Conv2d(3, 2, 3, stride=2),
        b=nn.Conv2d(3, 3, 3, stride=3),
        head=nn.Linear(18 + 12, 6),
    )


NETWORKS: Mapping[str, Callable[[], nn.Module]] = {
    make.__name__: make
    for make in (
        branches,
        constants_and_silu,
        dense_only,
        depthwise_relu6,
        groups_of_channels,
        flatten_of_area,
        flattened_parts,
        pools,
        residual_without_activation,
        shared_layer,
        squeeze_excite,
        value_before_and_after_relu,
    )
}


def make_network(name: str, seed: int = 0) -> nn.Module:
    """The network with random weights and batch statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = NETWORKS[name]()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0.0, 0.3)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
                nn.init.uniform_(module.weight, -1.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.3)
    return network.eval()


def make_inputs(count: int, seed: int = 1) -> Tensor:
    """Inputs [count, 3, 8, 8], smooth enough to look like images."""
    noise = torch.randn(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(noise, scale_factor=2, mode="nearest")
