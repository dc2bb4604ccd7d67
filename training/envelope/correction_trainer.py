"""Training of the predictor of envelope corrections and of their codebooks, in turns."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from tqdm import tqdm

from nacli.dsp.filterbank import BANDS
from nacli.envelope.predictor import LEVELS
from nacli.tensor_file import Tensors
from training.envelope.correction_data import CorrectionClips, SpanRows, corrections_before
from training.loop.schedule import codebook_decay
from training.quantizer.corrections import CODE_BITS, CorrectionQuantizer

BATCH, ROWS = 256, 1024
"""Clips whose spans are quantised at a time, and spans of a step."""
ROUNDS = 8
"""Turns between quantising all spans and training the predictor on the result."""
WEIGHT_EXPONENT = 0.3
"""Exponent: errors have the weight lambda^-0.3, which is smaller where bits are scarce."""


class PredictorNet(nn.Module):
    """The network of `nacli.envelope.predictor.LearnedPredictor` while it trains."""

    def __init__(self, hidden: int, memory: float) -> None:
        super().__init__()
        self.first = nn.Linear(LEVELS + 2 + BANDS, hidden)
        self.second, self.last = nn.Linear(hidden, hidden), nn.Linear(hidden, BANDS)
        self.memory = nn.Parameter(torch.full((BANDS,), memory))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, inputs: Tensor, before: Tensor) -> Tensor:
        """Return the corrections [..., BANDS] that are predicted after those before."""
        x = torch.relu(self.first(torch.cat([inputs, before], -1)))
        return self.last(torch.relu(self.second(x))) + self.memory * before

    @torch.no_grad()
    def export(self) -> Tensors:
        """Return the tensors of `LearnedPredictor`."""
        levels, before = self.first.weight.T.split([LEVELS + 2, BANDS])
        tensors = {"levels": levels, "before": before, "bias": self.first.bias}
        for name in ("second", "last"):
            layer: nn.Linear = getattr(self, name)
            tensors |= {f"{name}.weight": layer.weight.T, f"{name}.bias": layer.bias}
        tensors["memory"] = self.memory
        return {name: tensor.contiguous().half().numpy() for name, tensor in tensors.items()}


class CorrectionTrainer:
    """Trains the predictor on corrections as encoders choose them, and the codebooks on what the
    predictor leaves."""

    def __init__(
        self, net: PredictorNet, quantizer: CorrectionQuantizer, steps: int, rate: float
    ) -> None:
        self.net, self.quantizer, self.steps, self.rate = net, quantizer, steps, rate
        self.optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=0.02)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)

    def train(self, groups: list[CorrectionClips]) -> None:
        """Make all steps, in ROUNDS rounds; the learning rate falls to zero."""
        for _ in tqdm(range(ROUNDS), desc="training", disable=None):
            rate_share = float(self.schedule.get_last_lr()[0]) / self.rate
            self.quantizer.decay.fill_(codebook_decay(rate_share))
            rows = _joined([self._spans(clips) for clips in groups])
            for _ in range(self.steps // ROUNDS):
                self._step(rows.take(torch.randint(len(rows.inputs), (ROWS,))))

    def _spans(self, clips: CorrectionClips) -> SpanRows:
        """Return the audible spans of clips, quantised in batches that the codebooks follow."""
        order = torch.randperm(len(clips.inputs))
        return _joined([self._batch_spans(clips.take(part)) for part in order.split(BATCH)])

    def _batch_spans(self, clips: CorrectionClips) -> SpanRows:
        before = corrections_before(self.quantize(clips)[0])
        weights = clips.audible * clips.lambdas**-WEIGHT_EXPONENT
        columns = (clips.inputs, before, clips.targets, weights)
        return SpanRows(*(column.flatten(0, 1)[clips.audible.flatten()] for column in columns))

    def _step(self, rows: SpanRows) -> None:
        errors = (self.net(rows.inputs, rows.before) - rows.targets).square().sum(-1)
        self.optimizer.zero_grad(set_to_none=True)
        ((rows.weights * errors).sum() / rows.weights.sum()).backward()
        self.optimizer.step()
        self.schedule.step()

    @torch.no_grad()
    def quantize(self, clips: CorrectionClips) -> tuple[Tensor, Tensor]:
        """Return the quantised corrections [N, S, BANDS] and the number of codes of each span
        [N, S]; codebooks that learn follow them."""

        def predict(span: int, before: Tensor) -> Tensor:
            prediction: Tensor = self.net(clips.inputs[:, span], before)
            return prediction

        return self.quantizer.quantize(clips.targets, clips.lambdas, predict)

    @torch.no_grad()
    def evaluate(self, clips: CorrectionClips) -> tuple[float, float, float]:
        """Return means over audible spans: the squared error of the prediction, the number of
        codes, and the cost in bits (the bits of the codes and the remaining error over lambda)."""
        corrections, counts = self.quantize(clips)
        predicted = self.net(clips.inputs, corrections_before(corrections))
        errors = [(x - clips.targets).square().sum(-1) for x in (predicted, corrections)]
        costs = CODE_BITS * counts + errors[1] / clips.lambdas
        means = [float(x.float()[clips.audible].mean()) for x in (errors[0], counts, costs)]
        return means[0], means[1], means[2]


def _joined(parts: list[SpanRows]) -> SpanRows:
    """Concatenate spans."""
    return SpanRows(*(torch.cat(column) for column in zip(*parts, strict=True)))
