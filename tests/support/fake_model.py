"""A model without torch: real codebooks, tables and streams around a transform of a few lines.

Run as a script it is the command `nacli` with that model.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learned_model import make_tensors
from nacli.config import CODED_RATE, GAIN_LEVELS, ModelConfig
from nacli.dsp.filterbank import BANDS
from nacli.dsp.high_band import BANDS as HIGH_BANDS
from nacli.dsp.high_band import LEVELS as HIGH_LEVELS
from nacli.entropy import (
    CorrectionTables,
    EntropyModel,
    HighBandTables,
    LearnedModel,
    StaticTables,
    frequencies,
)
from nacli.envelope.predictor import CorrectionPredictor
from nacli.quantizer.rvq import Codebooks
from nacli.types import Floats

CONFIG = ModelConfig(
    latent_dim=8,
    stages=4,
    codebook_size=16,
    lookahead=0,
    correction_stages=2,
    correction_frames=4,
    correction_fine=4,
)


class FakeNetworks:
    """The latents of a hop are the means of its eight parts, delayed by one hop; a gain is that of
    two hops."""

    def new_history(self) -> dict[str, Floats]:
        return {}

    def analyze(self, pcm: Floats, history: dict[str, Floats]) -> tuple[Floats, NDArray[np.int32]]:
        """Samples [C, T] to latents [C, F, D] and gains [C, F]; frame f is hop f - 1."""
        hops = pcm.reshape(len(pcm), -1, CONFIG.hop)
        joined = np.concatenate([history.get("hop", np.zeros_like(hops[:, :1])), hops], axis=1)
        history["hop"] = joined[:, -1:]
        means = joined[:, :-1].reshape(*hops.shape[:2], CONFIG.latent_dim, -1).mean(-1)
        powers = np.square(joined).mean(-1)
        rms = np.sqrt((powers[:, :-1] + powers[:, 1:]) / 2)
        gains = np.rint((20 * np.log10(np.maximum(rms, 1e-9)) + 100) / CONFIG.gain_step_db) + 1
        gains = gains.clip(0, GAIN_LEVELS - 1).astype(np.int32)
        latents = means / _amplitude(np.maximum(gains, 1))
        return latents.astype(np.float32), gains

    def synthesize(
        self, latents: Floats, gains: NDArray[np.int32], counts: Any, history: Any
    ) -> Floats:
        """Latents [C, F, D] and gains [C, F] to samples [C, F * hop]."""
        hops = (latents * _amplitude(gains)).repeat(CONFIG.hop // CONFIG.latent_dim, axis=-1)
        return hops.reshape(len(hops), -1).astype(np.float32)

    def synthesize_with_features(
        self, latents: Floats, gains: NDArray[np.int32], counts: Any, history: Any
    ) -> tuple[Floats, Floats]:
        """The samples of `synthesize`, and features [C, F, width], in which the latents recur."""
        features = latents.repeat(CONFIG.width // CONFIG.latent_dim, axis=-1)
        return self.synthesize(latents, gains, counts, history), features


def _amplitude(gains: NDArray[np.int32]) -> NDArray[np.float64]:
    level = 10 ** ((CONFIG.gain_step_db * (gains - 1) - 100) / 20)
    return np.where(gains > 0, level, 0.0)[..., None]


def make_predictor(seed: int = 0) -> CorrectionPredictor:
    """Half of the correction before, a little of its other bands, and means of this size."""
    random = np.random.default_rng(seed)
    means, weights = (0.02 * random.normal(size=(2, *[BANDS] * n)) for n in (1, 2))
    return CorrectionPredictor(
        means.astype(np.float32), (weights + 0.5 * np.eye(BANDS)).astype(np.float32)
    )


def make_model(
    seed: int = 0, digest: bytes = b"fake", learned: bool = False, corrected: bool = True
) -> Any:
    """An object with all parts of a `Model` that the Encoder and the Decoder use. Unless
    `corrected`, it has no envelope corrections."""
    random = np.random.default_rng(seed)
    shape = (CONFIG.stages, CONFIG.codebook_size, CONFIG.latent_dim)
    sizes = 0.7 * 0.6 ** np.arange(CONFIG.stages)[:, None, None]
    levels = np.linspace(-1, 1, 16) * np.array([[0.8], [0.1]])  # below 300 Hz
    vectors = levels[..., None] * (np.arange(BANDS) < 4)
    corrections = Codebooks.from_vectors(vectors.astype(np.float32))
    vectors = (random.normal(size=shape) * sizes).astype(np.float32)
    codebooks = Codebooks.from_vectors(vectors, corrections if corrected else None)
    gains = np.arange(GAIN_LEVELS)
    nearness = 1 + 20_000 // (1 + np.square(gains[:, None] - gains))
    nearness[0, 0] = 1_000_000  # silence stays silence for long
    first = np.ones((1, GAIN_LEVELS), dtype=np.int64)
    codes = 20 + random.integers(0, 20, size=shape[:2])
    correction_tables = CorrectionTables(
        *(frequencies(20 + random.integers(0, 20, size=size)) for size in ((9, 3), (3, 16)))
    )
    if not corrected:
        correction_tables = CorrectionTables.none()
    shapes = ((1, HIGH_BANDS + 1), (6, 2 * HIGH_LEVELS - 1))
    high = HighBandTables(*(frequencies(random.integers(1, 50, size)) for size in shapes))
    gain_rows = frequencies(np.concatenate([nearness, first]))
    tables = StaticTables(gain_rows, frequencies(codes), correction_tables, high)
    entropy: EntropyModel = tables
    if learned:
        tensors = make_tensors(seed, CONFIG.stages, CONFIG.codebook_size, CONFIG.latent_dim)
        tensors |= {"gains": tables.gain_table}
        entropy = LearnedModel(tensors, codebooks.entries, correction_tables, high)
    return SimpleNamespace(
        config=CONFIG if corrected else replace(CONFIG, correction_stages=0),
        codebooks=codebooks,
        tables=tables,
        entropy=entropy,
        digest=hashlib.sha256(digest).digest(),
        networks=FakeNetworks(),
        filter_network=None,
        predictor=make_predictor(),
        codes_high_band=lambda sample_rate: high is not None and sample_rate > CODED_RATE,
    )


if __name__ in ("__main__", "__mp_main__"):  # the second in worker processes
    from nacli import api, checkpoint
    from nacli.cli.bar import Bar
    from nacli.jobs import worker_pool

    def load_fake(path: str | Path | None = None, **options: str) -> Any:
        return make_model()

    api.load_model = load_fake
    checkpoint.load_model = load_fake  # type: ignore[assignment]
    if "BARS_AT_ONCE" in os.environ:
        Bar.DELAY = Bar.INTERVAL = worker_pool.REPORT_SECONDS = 0.0

if __name__ == "__main__":
    from nacli.cli import main

    main(prog_name="nacli")
