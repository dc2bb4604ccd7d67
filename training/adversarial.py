"""What discriminators make of decoded sound, as losses, and how strongly each of them pulls."""

from __future__ import annotations

from itertools import chain

import torch
import torch.distributed as dist
from torch import Tensor

from training.discriminators import Verdict
from training.parallel import sum_all


def telling_loss(verdicts: list[Verdict]) -> Tensor:
    """Of the discriminator: squared distance of its scores to 1 for originals, 0 for decoded sound
    (Mao et al., 2017). Unlike those of a hinge, such scores stay where they are through the whole
    training, and their pull on the Decoder fades as it succeeds."""
    losses = [
        (1 - original).square().mean() + decoded.square().mean()
        for original, decoded in _scores(verdicts)
    ]
    return torch.stack(losses).mean()


def deceiving_loss(verdicts: list[Verdict]) -> Tensor:
    """Of the Decoder: squared distance of its scores to 1."""
    return torch.stack([(1 - decoded).square().mean() for _, decoded in _scores(verdicts)]).mean()


def feature_loss(verdicts: list[Verdict]) -> Tensor:
    """Mean absolute difference of activations (Kumar et al., 2019), in each layer as a share of the
    original's mean magnitude there: a layer counts as much as the others, whatever its scale."""
    layers = chain.from_iterable(verdict[:-1] for verdict in verdicts)
    shares = [
        (original - decoded).abs().mean() / original.abs().mean().clamp_min(1e-6)
        for original, decoded in layers
    ]
    return torch.stack(shares).mean()


def mean_scores(verdicts: list[Verdict]) -> tuple[float, float]:
    """Of originals and of decoded sound: near 1 and near 0 where they are told apart."""
    means = [torch.stack([side.mean() for side in pair]) for pair in _scores(verdicts)]
    original, decoded = torch.stack(means).mean(0).tolist()
    return original, decoded


def _scores(verdicts: list[Verdict]) -> list[tuple[Tensor, Tensor]]:
    return [verdict[-1] for verdict in verdicts]


class Balance:
    """Factors that make the gradient of each loss at the Decoder's output as long as asked, in
    lengths of the first one's (after the balancer of Défossez et al., 2022).

    The lengths are measured every `every` steps, as each costs a backward pass, and averaged.
    """

    def __init__(self, every: int = 10, decay: float = 0.8) -> None:
        self.every, self.decay = every, decay
        self.lengths: dict[str, float] = {}

    def measure(self, losses: dict[str, Tensor], output: Tensor) -> None:
        """Take the lengths of the present gradients into the averages."""
        gradients = [
            torch.autograd.grad(loss, output, retain_graph=True)[0] for loss in losses.values()
        ]
        lengths = torch.stack([gradient.norm() for gradient in gradients])
        sum_all([lengths])
        if dist.is_initialized():
            lengths /= dist.get_world_size()
        for name, length in zip(losses, lengths.tolist(), strict=True):
            past = self.lengths.get(name, length)
            self.lengths[name] = self.decay * past + (1 - self.decay) * length

    def factors(self, asked: dict[str, float]) -> dict[str, float]:
        """What to multiply each loss by, for the lengths that are asked for."""
        first = self.lengths[next(iter(self.lengths))]
        return {
            name: share * first / max(self.lengths[name], 1e-12) for name, share in asked.items()
        }
