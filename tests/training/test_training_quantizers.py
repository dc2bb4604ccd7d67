"""Quantisers with moving-average codebooks, for latents and for corrections."""

from __future__ import annotations

import numpy as np
import torch

from corrections import quantize_corrections
from nacli.encoder.code_search import CodeSearch
from nacli.entropy import CorrectionTables, frequencies
from nacli.envelope.corrections import (
    CorrectionTargets,
    dequantize_corrections,
)
from nacli.envelope.predictor import SpanPredictor
from nacli.quantizer.rvq import Codebooks
from training.quantizer.corrections import CorrectionQuantizer, Prediction
from training.quantizer.residual import ResidualQuantizer


def test_each_stage_lowers_the_error_after_kmeans() -> None:
    torch.manual_seed(0)
    latents = torch.randn(2000, 6)
    quantizer = ResidualQuantizer(stages=3, size=16, dim=6)
    quantizer.fit(latents, batch_frames=100)
    quantizer.eval()
    errors = []
    for count in (1, 2, 3):
        quantized, codes, _ = quantizer(latents[None], torch.full((1, 2000), count))
        errors.append(float((quantized - latents).square().mean()))
        assert codes.shape == (count, 2000)
    assert 1 > errors[0] > errors[1] > errors[2]


def test_codebooks_follow_the_latents_unless_frozen() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(stages=1, size=4, dim=2)
    quantizer.fit(torch.randn(500, 2), batch_frames=50)
    shifted, stages = torch.randn(1, 500, 2) + 3, torch.ones(1, 500, dtype=torch.long)
    before = quantizer.codebooks.clone()
    quantizer.frozen = True
    quantizer(shifted, stages)
    assert torch.equal(quantizer.codebooks, before)
    quantizer.frozen = False
    for _ in range(500):
        quantizer(shifted, stages)
    assert quantizer.codebooks.mean() > 2  # unused codes died and restarted


def test_silent_frames_never_move_a_codebook() -> None:
    """Frames without a stage are silent, and their shapes can be huge."""
    torch.manual_seed(0)
    first, second = (ResidualQuantizer(stages=3, size=64, dim=2) for _ in range(2))
    first.fit(torch.randn(500, 2), batch_frames=40)
    second.load_state_dict(first.state_dict())
    for quantizer in (first, second):
        quantizer.counts[:, :8] = 0.01  # these restart at frames of this batch
        quantizer.sums.copy_(quantizer.codebooks * quantizer.counts.unsqueeze(2))
    audible, silent = torch.randn(1, 40, 2), 1e4 * torch.randn(1, 400, 2)
    stages = torch.tensor([[3] * 40 + [0] * 400])
    first(torch.cat([audible, silent], 1), stages)
    second(audible, stages[:, :40])
    torch.testing.assert_close(first.counts, second.counts)
    torch.testing.assert_close(first.sums[:, 8:], second.sums[:, 8:])
    assert first.codebooks.abs().max() < 10  # no code has restarted at a silent frame


def test_a_code_restarts_at_an_audible_frame() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(stages=1, size=4, dim=2)
    quantizer.fit(torch.randn(100, 2), batch_frames=10)
    quantizer.codebooks[0, 2] = 1000  # far from all frames
    quantizer.counts[0, 2] = 0
    frames = torch.randn(1, 10, 2)
    quantizer(frames, torch.ones(1, 10, dtype=torch.long))
    assert (quantizer.codebooks[0, 2] - frames[0]).abs().amax(1).min() < 1e-6


def test_every_stage_is_updated_whatever_a_batch_uses() -> None:
    """Processes sum their updates stage by stage, so none of them may leave out a stage."""
    quantizer = ResidualQuantizer(stages=3, size=4, dim=2)
    quantizer.fit(torch.randn(64, 2, generator=torch.Generator().manual_seed(0)), batch_frames=16)
    before = quantizer.counts.clone()
    quantizer(torch.randn(1, 16, 2), torch.ones(1, 16, dtype=torch.long))
    assert (quantizer.counts != before).any(1).all()


def test_grouped_stages_keep_to_their_dimensions_and_match_the_code_search() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(stages=4, size=8, dim=6, groups=2)
    quantizer.fit(torch.randn(300, 6), batch_frames=60)
    fitted = quantizer.codebooks.clone()
    for _ in range(50):  # other latents, so that codes move, die and restart
        latents = torch.randn(2, 30, 6) * 3 + 1
        quantizer(latents, torch.full((2, 30), 4))
    assert (quantizer.codebooks != fitted).any(2).all()
    for stage, codebook in enumerate(quantizer.codebooks):
        assert not codebook[:, 1 - stage % 2 :: 2].any()
        assert codebook[:, stage % 2 :: 2].all()
    codebooks = Codebooks.from_vectors(quantizer.codebooks.numpy())
    quantizer.codebooks.copy_(torch.from_numpy(codebooks.vectors))
    _, codes, _ = quantizer.eval()(latents, torch.full((2, 30), 4))
    found = CodeSearch(codebooks, beam=1).search(latents.reshape(-1, 6).numpy(), 4)
    np.testing.assert_array_equal(codes.numpy().T, found.paths[3])


def test_corrections_are_predicted_and_quantised_as_encoders_do() -> None:
    torch.manual_seed(0)
    quantizer = CorrectionQuantizer(2, 32, 3)
    targets = 0.2 + torch.randn(40, 25, 3).cumsum(1) * 0.3
    prediction = Prediction(torch.tensor([0.1, 0.2, 0.3]), 0.7 * torch.eye(3) + 0.05)
    residuals = targets - prediction.predict(prediction.shifted(targets))
    quantizer.fit(residuals.flatten(0, 1), batch_frames=100)
    quantizer.eval()
    lambdas = torch.zeros(40, 25)
    lambdas[:, 20:] = 1e6
    corrections, _ = quantizer.quantize(targets, lambdas, prediction)
    assert (corrections[:, :20] - targets[:, :20]).square().mean() < 0.1 * targets[:, :20].var()
    torch.testing.assert_close(corrections[:, 21:], prediction.predict(corrections[:, 20:-1]))
    books = Codebooks.from_vectors(quantizer.codebooks.numpy())
    quantizer.codebooks.copy_(torch.from_numpy(books.vectors))
    alike = CorrectionTables(*(frequencies(np.ones(size, np.int64)) for size in ((9, 3), (3, 32))))
    predictor = SpanPredictor(*(value.numpy() for value in prediction))
    asked = CorrectionTargets(targets[0].numpy(), lambdas[0].numpy(), predictor)
    found = dequantize_corrections(*quantize_corrections(asked, books, alike), books, predictor)
    corrections, _ = quantizer.quantize(targets[:1], lambdas[:1], prediction)
    np.testing.assert_allclose(found, corrections[0].numpy(), atol=1e-5)


def test_a_stage_that_no_correction_uses_keeps_its_codes() -> None:
    torch.manual_seed(0)
    quantizer = CorrectionQuantizer(2, 4, 3)
    quantizer.fit(torch.randn(100, 3), batch_frames=10)
    before = quantizer.codebooks.clone()
    quantizer.counts.fill_(0.5)  # all codes are about to restart
    quantizer.sums.copy_(0.5 * before)
    lambdas = torch.full((2, 5), 1e6)  # no code is worth its bits
    nothing = Prediction(torch.zeros(3), torch.zeros(3, 3))
    _, counts = quantizer.quantize(torch.randn(2, 5, 3), lambdas, nothing)
    assert not counts.any()
    torch.testing.assert_close(quantizer.codebooks, before)
