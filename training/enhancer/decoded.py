"""Sound as a frozen codec decodes it, with all that the adaptive filter takes beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from nacli.config import CODED_RATE, ModelConfig
from nacli.encoder.code_search import search, select
from nacli.networks.torch_engine import Decoder, Encoder, History
from nacli.quantizer.rvq import Codebooks, dequantize
from nacli.types import Floats, Integers
from training.enhancer.periods import measure_periods
from training.export.tensors import clip_outliers


class Decoded(NamedTuple):
    """A clip of F frames: original and decoded samples [F * hop], the Decoder's features
    [F, width], stage counts [F], and lags and strengths [2 F, 2] of `measure_periods`.

    The stage counts are those of the frames that the Decoder takes while it outputs the samples, so
    they are later by its look-ahead.
    """

    pcm: NDArray[np.int16]
    decoded: NDArray[np.float16]
    features: NDArray[np.float16]
    counts: NDArray[np.uint8]
    lags: NDArray[np.int16]
    likeness: NDArray[np.float16]  # the strengths, by their name in stored files

    @property
    def original(self) -> Floats:
        """The original samples within +-1."""
        return self.pcm.astype(np.float32) / np.float32(32767)


class FrozenCodec:
    """Encoder, quantiser and Decoder of a state of a training on a GPU."""

    def __init__(self, path: Path) -> None:
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.config = ModelConfig.from_json(state["config"])
        self.encoder, self.decoder = Encoder(self.config), Decoder(self.config)
        for prefix, network in (("encoder.", self.encoder), ("decoder.", self.decoder)):
            weights = {
                name.removeprefix(prefix): weight.float()
                for name, weight in state["codec"].items()
                if name.startswith(prefix)
            }
            network.load_state_dict(weights)
            network.eval().requires_grad_(False)
        self.codebooks = Codebooks.from_vectors(clip_outliers(state["codebooks"].numpy()))
        self.delay = 1 + self.config.lookahead

    @torch.inference_mode()
    def encode(self, pcm: Floats, depth: int) -> tuple[Integers, Integers]:
        """Return gains [F'] and the paths of a code search of `depth` stages for samples
        [F * hop]; the delay adds frames."""
        padded = torch.from_numpy(np.pad(pcm, (0, self.delay * self.config.hop)))[None]
        latents, gains = self.encoder(padded, History())
        paths = search(latents[0].numpy(), self.codebooks, depth).paths
        return gains[0].int().numpy(), paths

    def decode(self, pcm: Floats, gains: Integers, paths: Integers, counts: Integers) -> Decoded:
        """Return the clip of samples [F * hop] with stage counts [F']."""
        latents = dequantize(select(paths, counts), counts, self.codebooks)
        decoded, features = self._synthesize(latents, gains, counts)
        lags, strengths = measure_periods(decoded)
        return Decoded(
            np.rint(pcm * 32767).astype(np.int16),
            decoded.astype(np.float16),
            features.astype(np.float16),
            counts[self.delay :].astype(np.uint8),
            lags.astype(np.int16),
            strengths.astype(np.float16),
        )

    def run(self, pcm: Floats, depth: int, counts_of: Callable[[Integers], Integers]) -> Decoded:
        """Code and decode samples [F * hop]; `counts_of` returns stage counts for gains."""
        gains, paths = self.encode(pcm, depth)
        return self.decode(pcm, gains, paths, counts_of(gains))

    @torch.inference_mode()
    def _synthesize(
        self, latents: Floats, gains: Integers, counts: Integers
    ) -> tuple[Floats, Floats]:
        """Return samples [F * hop] aligned with the original, and features [F, width]."""
        columns = [torch.from_numpy(x.astype(np.int64))[None] for x in (gains, counts)]
        latent = torch.from_numpy(latents)[None]
        outputs = self.decoder.decode(latent, columns[0], columns[1], History())
        pcm, features = (x[0].numpy() for x in outputs)
        return pcm[self.delay * self.config.hop :], features[self.delay :]


def read_mono(path: Path) -> Floats:
    """Return the samples [T] of a file at the coded rate, mixed to mono."""
    pcm, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(pcm.mean(1), rate, CODED_RATE).astype(np.float32)
