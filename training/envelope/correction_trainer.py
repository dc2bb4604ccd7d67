"""Training of the prediction of envelope corrections and of their codebooks, in turns."""

from __future__ import annotations

import torch
from torch import Tensor
from tqdm import tqdm

from nacli.dsp.filterbank import BANDS
from nacli.envelope.predictor import CorrectionPredictor
from nacli.types import Floats
from training.envelope.correction_data import CorrectionClips
from training.loop.schedule import codebook_decay, cosine_decay
from training.quantizer.corrections import CODE_BITS, CorrectionQuantizer, Prediction

BATCH = 256
"""Clips whose spans are quantised at a time."""
WEIGHT_EXPONENT = 0.3
"""Exponent: errors have the weight lambda^-0.3, which is smaller where bits are scarce."""
RIDGE = 1e-4
"""Share of the mean diagonal of the normal equations that is added to their diagonal, so that few
data have a solution."""


class CorrectionTrainer:
    """Fits the prediction to corrections as encoders choose them, and the codebooks to what the
    prediction leaves."""

    def __init__(self, quantizer: CorrectionQuantizer, clips: list[CorrectionClips]) -> None:
        """Start with the prediction of `clips`, which are learned from, as if corrections were not
        quantised."""
        self.quantizer, self.clips = quantizer, clips
        nothing = Prediction(torch.zeros(BANDS), torch.zeros(BANDS, BANDS))
        self.predictions = {
            group.span: fit_prediction(group, nothing.shifted(group.targets)) for group in clips
        }

    def residuals(self) -> Tensor:
        """Return what the prediction leaves of audible corrections [M, BANDS], as if corrections
        were not quantised."""
        rows = [(group, self._predicted(group, group.targets)) for group in self.clips]
        return torch.cat([(group.targets - x)[group.audible] for group, x in rows])

    def train(self, rounds: int) -> None:
        """Quantise all clips, which the codebooks follow, and fit the prediction to the result:
        `rounds` times, ever more slowly."""
        for number in tqdm(range(rounds), desc="training", disable=None):
            share = cosine_decay(number / rounds, 0.0)
            self.quantizer.decay.fill_(codebook_decay(share))
            for group in self.clips:
                order = torch.randperm(len(group.targets))
                quantized = torch.empty_like(group.targets)
                for part in order.split(BATCH):
                    quantized[part] = self.quantize(group.take(part))[0]
                prediction = self.predictions[group.span]
                self.predictions[group.span] = fit_prediction(group, prediction.shifted(quantized))

    def quantize(self, clips: CorrectionClips) -> tuple[Tensor, Tensor]:
        """Return the quantised corrections [N, S, BANDS] and the number of codes of each span
        [N, S]; codebooks that learn follow them."""
        prediction = self.predictions[clips.span]
        return self.quantizer.quantize(clips.targets, clips.lambdas, prediction)

    def evaluate(self, clips: CorrectionClips) -> tuple[float, float, float]:
        """Return means over audible spans: the squared error of the prediction, the number of
        codes, and the remaining squared error plus lambda times bits."""
        corrections, counts = self.quantize(clips)
        predicted = self._predicted(clips, corrections)
        errors = [(x - clips.targets).square().sum(-1) for x in (predicted, corrections)]
        costs = errors[1] + clips.lambdas * CODE_BITS * counts
        means = [float(x.float()[clips.audible].mean()) for x in (errors[0], counts, costs)]
        return means[0], means[1], means[2]

    def _predicted(self, clips: CorrectionClips, corrections: Tensor) -> Tensor:
        """Return what is predicted for the spans of clips that have these corrections."""
        prediction = self.predictions[clips.span]
        return prediction.predict(prediction.shifted(corrections))

    def tensors(self) -> tuple[Floats, Floats]:
        """Return means and coefficients, see `CorrectionPredictor`: zero for spans of a length
        without clips."""
        rows = [torch.zeros(2, BANDS), torch.zeros(2, BANDS, BANDS)]
        for span, prediction in self.predictions.items():
            for stacked, value in zip(rows, prediction, strict=True):
                stacked[CorrectionPredictor.row(span)] = value
        return rows[0].numpy(), rows[1].numpy()


def fit_prediction(clips: CorrectionClips, before: Tensor) -> Prediction:
    """Return the linear prediction of targets from the corrections before them [N, S, BANDS] with
    the least weighted squared error over audible spans."""
    weights = (clips.audible * clips.lambdas**-WEIGHT_EXPONENT).double().flatten()[:, None]
    inputs, targets = (x.double().flatten(0, 1) for x in (before, clips.targets))
    inputs = torch.nn.functional.pad(inputs, (0, 1), value=1.0)
    products = inputs.T @ (weights * inputs)
    products += RIDGE * products.diagonal().mean() * torch.eye(len(products))
    solution = torch.linalg.solve(products, inputs.T @ (weights * targets))
    coefficients, constant = solution[:-1], solution[-1]
    # constant = mean - mean @ coefficients; coefficients of a prediction that decays have no
    # eigenvalue 1
    mean = torch.linalg.solve((torch.eye(BANDS) - coefficients).T, constant)
    return Prediction(mean.float(), coefficients.float())
