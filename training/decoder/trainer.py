"""Training of the Decoder alone, with reconstruction and adversarial losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nacli.networks.torch_engine import History
from training.codec import Codec
from training.corpus.decoder_batches import WARMUP_FRAMES, DecoderBatch
from training.decoder.discriminator_trainer import BETAS, DiscriminatorTrainer
from training.loop.parallel import average_gradients
from training.loop.schedule import codebook_decay, learning_rate, parameter_groups, set_rate
from training.loop.training import Training
from training.loop.weight_average import WeightAverage
from training.losses.adversarial import feature_matching_loss, generator_loss
from training.losses.gradient_balance import GradientBalance
from training.losses.reconstruction import ReconstructionLosses
from training.losses.spectra import rms_level


class DecoderTrainer(Training):
    """Trains the Decoder on codes of the frozen Encoder, and a discriminator where one is used.

    For the first `--warmup` steps the discriminator learns alone.
    """

    def __init__(self, codec: Codec, losses: ReconstructionLosses, options: dict[str, Any]) -> None:
        super().__init__(codec, options)
        self.losses = losses
        groups = parameter_groups(codec, encoder_rate=0.0)  # the Decoder's, all else is frozen
        codec.quantizer.frozen = True
        self.optimizer = torch.optim.AdamW(groups, betas=BETAS, weight_decay=0.01)
        adversarial = {name: options[name] for name in ("adversarial", "features") if options[name]}
        self.weights = {"reconstruction": 1.0} | adversarial
        self.discriminator = DiscriminatorTrainer(options, self.device) if adversarial else None
        self.balance = GradientBalance()
        self.average = WeightAverage(codec, options["ema"])

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "optimizer": self.optimizer.state_dict(),
            "lengths": self.balance.lengths,
            **(self.discriminator.state() if self.discriminator else {}),
        }

    def restore(self, state: dict[str, Any], weights_only: bool = False) -> None:
        super().restore(state, weights_only)
        if weights_only:
            return
        self.optimizer.load_state_dict(state["optimizer"])
        self.balance.lengths = state["lengths"]
        if self.discriminator:
            self.discriminator.restore(state)

    @property
    def _decoder_step(self) -> int:
        """Steps that the Decoder has learned; negative while the discriminator learns alone."""
        return self.step - (self.options["warmup"] if self.discriminator else 0)

    def samples(self, batch: DecoderBatch) -> int:
        return batch.target.numel()

    def train_step(self, batch: DecoderBatch) -> tuple[dict[str, float], Tensor]:
        """Learn from a batch.

        One forward pass through the discriminator serves both sides: the Decoder gets the gradient
        at its output, the discriminator that at its weights.
        """
        batch = batch.to(self.device)
        learning = self._decoder_step >= 0
        self._set_rates(learning)
        with torch.set_grad_enabled(learning):
            decoded, targets = self._decode(batch)
        corrections, level = targets.square().mean(), rms_level(batch.target)
        # divided by the level, or quiet clips would have far longer gradients than loud ones
        output = (decoded.detach() / level).requires_grad_()
        losses, logged = self._losses(batch.target, output, level)
        if learning:
            gradient = self._output_gradient(losses, output) / level
            self._move_decoder(decoded, corrections, gradient)
        self.step += 1
        logged["corrections"] = float(corrections.detach())
        logged |= {name: float(value.detach()) for name, value in losses.items()}
        logged |= {f"length_{name}": self.balance.lengths.get(name, 0.0) for name in losses}
        return logged, batch.codes.transpose(0, 1).flatten(1)

    def _set_rates(self, learning: bool) -> None:
        """Set the rates of the Decoder and of the codebooks of corrections, which follow it."""
        rate = learning_rate(self._decoder_step, self.progress, self.options["rate"])
        set_rate(self.optimizer, rate)
        self.codec.corrections.frozen = not learning
        self.codec.corrections.decay = codebook_decay(rate / self.options["rate"])

    def _decode(self, batch: DecoderBatch) -> tuple[Tensor, Tensor]:
        """Return the decoded samples [B, T], and the targets of corrections [B, S, BANDS]."""
        config = self.codec.config
        decoded = self.codec.decoder(*batch.decoder_inputs, History())
        decoded = decoded[:, WARMUP_FRAMES * config.hop :].float()
        # the Decoder's output belongs to frames that are `lookahead` older
        counts = (batch.counts * (batch.gains > 0)).roll(config.lookahead, 1)[:, WARMUP_FRAMES:]
        return self.codec.post_process(decoded, batch.target, counts)

    def _losses(
        self, target: Tensor, output: Tensor, level: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return the weighted losses by name, and other values to log; the discriminator learns.

        Args:
            target: samples [B, T].
            output: decoded samples [B, T], divided by the `level` [B, 1] of the target.
        """
        zero = torch.zeros((), device=output.device)
        parts = self.losses(target, output * level, zero, zero)
        losses = {"reconstruction": parts.pop("total")}
        logged = {name: float(parts[name].detach()) for name in ("mel", "compressed", "waveform")}
        if self.discriminator:
            outputs = self.discriminator(target / level, output)
            adversarial = {
                "adversarial": generator_loss(outputs),
                "features": feature_matching_loss(outputs),
            }
            losses |= {name: loss for name, loss in adversarial.items() if name in self.weights}
            logged |= self.discriminator.train_step(outputs, self.step, self.progress)
        return losses, logged

    def _output_gradient(self, losses: dict[str, Tensor], output: Tensor) -> Tensor:
        """Return the gradient of the weighted sum of losses at the Decoder's output [B, T]."""
        if self.step % self.balance.every == 0 or not self.balance.lengths:
            self.balance.measure(losses, output)
        balanced = self.options["balance"]
        factors = self.balance.factors(self.weights) if balanced else self.weights
        total = torch.stack([factors[name] * loss for name, loss in losses.items()]).sum()
        return torch.autograd.grad(total, output)[0]

    def _move_decoder(self, decoded: Tensor, corrections: Tensor, gradient: Tensor) -> None:
        """Make a step by the gradient at the output and by the loss of correction targets.

        Without the latter, the Decoder would lower the energy of bands in which its output is
        easily told from originals.
        """
        self.optimizer.zero_grad(set_to_none=True)
        weighted = self.options["corrections"] * corrections
        torch.autograd.backward([decoded, weighted], [gradient, None])
        parameters = list(self.codec.decoder.parameters())
        average_gradients(parameters)
        nn.utils.clip_grad_norm_(parameters, 5.0, error_if_nonfinite=True)
        self.optimizer.step()
        self.average.update(self._decoder_step)
