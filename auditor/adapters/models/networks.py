"""Small built-in networks: one for Portraits, the CIFAR ResNets of He et al., two robust ones.

Every ReLU is a module of its own and works out of place, so that any unit before or after it can
be named as a layer and keeps its value for the backward pass.
"""

from __future__ import annotations

from typing import assert_never, final

import torch
from torch import Tensor, nn

from auditor.spec.model import BuiltinName


def build_network(name: BuiltinName, *, num_outputs: int) -> nn.Module:
    """A new network with random weights from the global generator, in training mode."""
    match name:
        case "portraits_net":
            return PortraitsNet(num_outputs)
        case "cifar_resnet20":
            return CifarResNet(3, num_outputs)
        case "cifar_resnet32":
            return CifarResNet(5, num_outputs)
        case "cifar_resnet44":
            return CifarResNet(7, num_outputs)
        case "cifar_resnet56":
            return CifarResNet(9, num_outputs)
        case "robust_resnet2b":
            return RobustResNet((8, 16), num_outputs, num_cells=8)
        case "robust_resnet4b":
            return RobustResNet((16, 32, 32), num_outputs, num_cells=4)
        case _:
            assert_never(name)


@final
class PortraitsNet(nn.Module):
    """Four convolutions and two linear layers for square images of 48 to 64 pixels.

    `features.0`, `.2`, `.4` and `.6` are the convolutions, each followed by its ReLU;
    `classifier.0` and `classifier.2` are the linear layers.
    """

    def __init__(self, num_outputs: int, *, num_hidden: int = 128) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(48, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            GridMean(6),
        )
        self.classifier = nn.Sequential(
            nn.Linear(64 * 6 * 6, num_hidden),
            nn.ReLU(),
            nn.Linear(num_hidden, num_outputs),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_outputs] of normalised images [B, 3, S, S]."""
        logits: Tensor = self.classifier(self.features(images).flatten(1))
        return logits


@final
class GridMean(nn.Module):
    """Mean over the cells of a fixed grid, whatever the size of the map.

    The same values as adaptive average pooling, written as two matrix products: the gradient of
    `nn.AdaptiveAvgPool2d` on CUDA adds in an order that changes from run to run.
    """

    def __init__(self, num_cells: int) -> None:
        super().__init__()
        self.num_cells = num_cells

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C, cells, cells]."""
        height, width = maps.shape[-2:]
        if height == width == self.num_cells:
            return maps
        rows = self._weights(height).to(maps)
        columns = self._weights(width).to(maps)
        return rows @ maps @ columns.T

    def _weights(self, length: int) -> Tensor:
        weights = torch.zeros(self.num_cells, length)
        for cell in range(self.num_cells):
            first = cell * length // self.num_cells
            last = -(-(cell + 1) * length // self.num_cells)
            weights[cell, first:last] = 1.0 / (last - first)
        return weights


@final
class CifarResNet(nn.Module):
    """ResNet for 32×32 images (He et al., CVPR 2016, section 4.2), shortcuts without parameters.

    Depth is 6 · `num_blocks` + 2. Keys fit the widely used state dicts of akamaster's
    pytorch_resnet_cifar10 release: `conv1 bn1 layer1 layer2 layer3 linear`.
    """

    def __init__(self, num_blocks: int, num_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        self.layer1 = _stage(16, 16, num_blocks, stride=1)
        self.layer2 = _stage(16, 32, num_blocks, stride=2)
        self.layer3 = _stage(32, 64, num_blocks, stride=2)
        self.linear = nn.Linear(64, num_outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_outputs] of normalised images [B, 3, 32, 32]."""
        maps = self.relu1(self.bn1(self.conv1(images)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        logits: Tensor = self.linear(maps.mean(dim=(2, 3)))
        return logits


@final
class ResidualBlock(nn.Module):
    """Two 3×3 convolutions around an identity shortcut ("option A")."""

    def __init__(self, num_inputs: int, num_outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_inputs, num_outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(num_outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(num_outputs, num_outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(num_outputs)
        self.relu2 = nn.ReLU()
        self.stride = stride
        self.num_new = num_outputs - num_inputs

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, C_in, H, W] to [B, C_out, H / stride, W / stride]."""
        out = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(maps)))))
        shortcut = maps[:, :, :: self.stride, :: self.stride]
        if self.num_new:
            # New channels are zero, half of them before the old ones and half behind.
            half = self.num_new // 2
            shortcut = nn.functional.pad(shortcut, (0, 0, 0, 0, half, self.num_new - half))
        activated: Tensor = self.relu2(out + shortcut)
        return activated


def _stage(num_inputs: int, num_outputs: int, num_blocks: int, *, stride: int) -> nn.Sequential:
    first = ResidualBlock(num_inputs, num_outputs, stride)
    rest = [ResidualBlock(num_outputs, num_outputs, 1) for _ in range(num_blocks - 1)]
    return nn.Sequential(first, *rest)


@final
class RobustResNet(nn.Module):
    """ResNet without batch norm for 32×32 images, fitted adversarially by its authors.

    Keys fit the `resnet2b` and `resnet4b` of the alpha-beta-CROWN release (Wang et al., NeurIPS
    2021): `conv1`, stages `layer1` and `layer2` of two blocks each, `linear1`, `linear2`. `relu0`
    follows `conv1`; `relu1` follows `linear1`, and its units are the robust features.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        num_outputs: int,
        *,
        num_cells: int,
        num_hidden: int = 100,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, stride=2, padding=1)
        self.relu0 = nn.ReLU()
        self.layer1 = _biased_stage(widths[0], widths[1])
        # The smaller network has one stage: the second one is empty and passes everything on.
        self.layer2 = _biased_stage(*widths[1:]) if len(widths) > 2 else nn.Sequential()
        self.linear1 = nn.Linear(widths[-1] * num_cells**2, num_hidden)
        self.relu1 = nn.ReLU()
        self.linear2 = nn.Linear(num_hidden, num_outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, num_outputs] of normalised images [B, 3, 32, 32]."""
        maps = self.relu0(self.conv1(images))
        maps = self.layer2(self.layer1(maps))
        logits: Tensor = self.linear2(self.relu1(self.linear1(maps.flatten(1))))
        return logits


@final
class BiasedBlock(nn.Module):
    """Two 3×3 convolutions with biases; a 1×1 convolution as shortcut where the shape changes."""

    def __init__(self, num_inputs: int, num_outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_inputs, num_outputs, 3, stride=stride, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(num_outputs, num_outputs, 3, padding=1)
        self.shortcut = nn.Sequential()
        if stride != 1 or num_inputs != num_outputs:
            self.shortcut.append(nn.Conv2d(num_inputs, num_outputs, 1, stride=stride))
        self.relu2 = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, C_in, H, W] to [B, C_out, H / stride, W / stride]."""
        out = self.conv2(self.relu1(self.conv1(maps)))
        activated: Tensor = self.relu2(out + self.shortcut(maps))
        return activated


def _biased_stage(num_inputs: int, num_outputs: int) -> nn.Sequential:
    return nn.Sequential(
        BiasedBlock(num_inputs, num_outputs, stride=2), BiasedBlock(num_outputs, num_outputs, 1)
    )
