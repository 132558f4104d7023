"""What a network is and how it is trained: plain numbers, which need no JAX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._numbers import plain_number, refused, require_numbers, whole_number


@dataclass(frozen=True)
class WedgeNet:
    """A U-Net on the blocks of the wedge x ≤ y ≤ z, a 48th of the cell.

    Args:
        side: voxels along an edge of the octant.
        block: voxels along an edge of a block; the voxels of a block are channels.
        features: channels on each level, finest first; each level has half as many blocks along an edge as the one
            before it.
        depth: residual blocks on each level, on the way down and again on the way up.
        embedding: channels of the embedding of noise level and conditions.
    """

    side: int = 32
    block: int = 4
    features: tuple[int, ...] = (128, 192, 256)
    depth: tuple[int, ...] = (1, 2, 0)
    embedding: int = 256

    def __post_init__(self) -> None:
        _require_levels(self.features, self.depth)
        least = self.block * 2 ** (len(self.features) - 1)
        if self.side % least:
            raise refused("side", f"be a multiple of {least}", f"is {self.side}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the fields."""
        return self.side, self.side, self.side


@dataclass(frozen=True)
class BoxNet:
    """A U-Net on the blocks of a box, for fields of other things than cubic cells, such as where atoms are.

    No symmetry is imposed; a block at a face of the box sees its own image. Conditions are four numbers of any meaning,
    about between −1 and 1; a training leaves out the first three together, or the fourth, or all.

    Args:
        shape: voxels along the edges of the box.
        block: voxels along the edges of a block; the voxels of a block are channels.
        features: channels on each level, finest first; each level has half as many blocks along an edge as the one
            before it, rounded up. The blocks of the last one mix with all others, so there should be few of them.
        depth: residual blocks on each level, on the way down and again on the way up.
        embedding: channels of the embedding of noise level and conditions.
    """

    shape: tuple[int, int, int]
    block: tuple[int, int, int] = (2, 2, 2)
    features: tuple[int, ...] = (64, 128)
    depth: tuple[int, ...] = (2, 1)
    embedding: int = 128

    def __post_init__(self) -> None:
        for name in ("shape", "block"):
            three = getattr(self, name)
            if not isinstance(three, (tuple, list)) or len(three) != 3:
                raise refused(name, "be three whole numbers", f"is {three!r}")
            object.__setattr__(self, name, tuple(whole_number(name, number, least=1) for number in three))
        _require_levels(self.features, self.depth)
        if any(size % block for size, block in zip(self.shape, self.block, strict=True)):
            raise refused("shape", f"have multiples of {self.block}", f"is {self.shape}")

    @property
    def blocks(self) -> tuple[int, int, int]:
        """Along the edges of the box."""
        (a, b, c), (p, q, r) = self.shape, self.block
        return a // p, b // q, c // r


def _require_levels(features: tuple[int, ...], depth: tuple[int, ...]) -> None:
    if len(features) < 2 or len(depth) != len(features):
        raise refused("depth", "have one number for each of two or more levels", f"is {depth}")


@dataclass(frozen=True)
class GridNet:
    """The U-Net of Yang and others (2024), on the octant's voxels: 3³ convolutions, attention on the coarse levels.

    Args:
        side: voxels along an edge of the octant.
        features: channels on each level, finest first.
        attention: largest side of a level with self-attention.
        heads: of the attention.
        embedding: channels of the embedding of noise level and conditions.
    """

    side: int = 64
    features: tuple[int, ...] = (32, 64, 128, 256, 256)
    attention: int = 8
    heads: int = 4
    embedding: int = 128

    def __post_init__(self) -> None:
        if self.side % 2 ** (len(self.features) - 1):
            raise refused("side", f"be a multiple of {2 ** (len(self.features) - 1)}", f"is {self.side}")
        if any(width % 8 or width % self.heads for width in self.features):
            raise refused("features", f"be multiples of 8 and of {self.heads} heads", f"are {self.features}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the fields."""
        return self.side, self.side, self.side


CubicNet = WedgeNet | GridNet
Network = CubicNet | BoxNet


def require_cubic(name: str, network: Network) -> CubicNet:
    """A network of cubic cells.

    Raises:
        ValueError: it is one of fields on a box; the sentence names the argument.
    """
    if isinstance(network, BoxNet):
        raise refused(name, "be of cubic cells", "is of fields on a box, which `sample_field` draws")
    return network


Preset = Literal["small", "paper", "tiny"]
PRESETS: dict[str, Network] = {
    "small": WedgeNet(),
    "paper": GridNet(),
    "tiny": WedgeNet(block=8, features=(32, 32), depth=(1, 0), embedding=32),
}
"""The network that trains on a processor, that of the paper for octants of 64³, and one to try things with."""


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Args:
        steps: Steps of the optimiser.
        batch: Cells in a step.
        rate: Largest rate of AdamW; it grows over the warm-up.
        warmup: Steps over which the rate grows.
        cooldown: Share of the steps, the last ones, over which the rate falls to zero.
        decay: Weight decay of AdamW.
        clip: Largest norm of the gradient.
        average: Share that an average of the weights keeps in a step.
        dropped: Share of the cells that are shown without any condition; as many without stiffness, and as many
            without volume fraction.
        seed: Of the weights, of the cells' order and of the noise.
    """

    steps: int = 20_000
    batch: int = 16
    rate: float = 1e-3
    warmup: int = 200
    cooldown: float = 0.2
    decay: float = 1e-2
    clip: float = 1.0
    average: float = 0.999
    dropped: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "warmup"):
            whole_number(name, getattr(self, name), least=1)
        whole_number("seed", self.seed)
        require_numbers(self, "rate", "decay", "clip", "average", "dropped", "cooldown")
        plain_number("rate", self.rate, "be positive", lambda x: x > 0)
        plain_number("clip", self.clip, "be positive", lambda x: x > 0)
        plain_number("decay", self.decay, "not be negative", lambda x: x >= 0)
        plain_number("average", self.average, "lie in [0, 1)", lambda x: 0 <= x < 1)
        plain_number("dropped", self.dropped, "lie in [0, 1/3]", lambda x: 0 <= x <= 1 / 3)
        plain_number("cooldown", self.cooldown, "lie in [0, 1]", lambda x: 0 <= x <= 1)


@dataclass(frozen=True)
class Tuning:
    """How a trained network is tuned through finite elements.

    Args:
        steps: Steps of the optimiser.
        batch: Samples in a step.
        rate: Largest rate of Adam.
        warmup: Steps over which the rate grows.
        cooldown: Share of the steps, the last ones, over which the rate falls to zero.
        levels: Steps of the sampler.
        last: Of these, how many the derivative goes back through.
        scale: Of guidance without a classifier, with which the samples are made.
        solver_steps: Of the solver, for each sample.
        average: Share that an average of the weights keeps in a step.
        seed: Of what is wanted, and of the noise.
    """

    steps: int = 2_400
    batch: int = 8
    rate: float = 2e-4
    warmup: int = 20
    cooldown: float = 0.4
    levels: int = 16
    last: int = 9
    scale: float = 3.0
    solver_steps: int = 10
    average: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "warmup", "last", "solver_steps"):
            whole_number(name, getattr(self, name), least=1)
        whole_number("seed", self.seed)
        whole_number("levels", self.levels, least=max(self.last, 2))
        require_numbers(self, "rate", "cooldown", "scale", "average")
        plain_number("rate", self.rate, "be positive", lambda x: x > 0)
        plain_number("cooldown", self.cooldown, "lie in [0, 1]", lambda x: 0 <= x <= 1)
        plain_number("scale", self.scale, "not be negative", lambda x: x >= 0)
        plain_number("average", self.average, "lie in [0, 1)", lambda x: 0 <= x < 1)
