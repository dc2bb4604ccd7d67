"""A decoder written from FORMAT.md alone, second half: codes to samples at the coded rate.

It imports nothing of nacli, and processes a whole recording at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain

import numpy as np

from documented_codes import Channel, high_span
from documented_model import Array, ModelFile

HOP, BANDS = 320, 26
EDGES = (153, 180, 200, 227, 260, 294)


def synthesize(packets: list[list[Channel]], model: ModelFile, channel: int) -> Array:
    """Return the hops of one coded channel at 24,000 Hz, after gate and limiter."""
    parts = [packet[channel] for packet in packets]
    ahead = model.config["lookahead"]
    gains = np.array([*chain(*(part.gains for part in parts)), *[0] * ahead])
    counts = np.array([*chain(*(part.counts for part in parts)), *[0] * ahead])
    latents = np.zeros((len(gains), 160), dtype=np.float32)
    entries, scales = model["codebooks.entries"], model["codebooks.scales"]
    for f, codes in enumerate(chain(*(part.codes for part in parts))):
        for stage, code in enumerate(codes):
            latents[f] += scales[stage] * entries[stage, code]
    x, features = network(latents, gains, counts, model)
    h = remove_dc(np.concatenate([x, np.zeros(4 * HOP)]))
    y = correction_filter(h, corrections(len(h) // HOP, parts, model))
    a = adaptive_filter(y, features, delay(counts, ahead), model)
    own = np.concatenate([np.zeros(ahead + 4, dtype=int), gains[: len(gains) - ahead]])
    a = np.clip(a * gate(own), -1, 1)
    return a[(5 + ahead) * HOP :]


def delay(x: Array, steps: int) -> Array:
    """Return x [T, ...] later by some steps, zeros first."""
    return np.concatenate([np.zeros((steps, *x.shape[1:]), dtype=x.dtype), x[: len(x) - steps]])


def mix(x: Array, weight: Array) -> Array:
    """Filter each channel of x [T, C] with 7 taps [7, C], the last tap on the newest input."""
    return sum((weight[k] * delay(x, 6 - k) for k in range(7)), np.zeros_like(x))


def convolve(x: Array, weight: Array) -> Array:
    """Filter x [T, I] with weights [O, I, 7]."""
    zeros = np.zeros((len(x), len(weight)), dtype=np.float32)
    return sum((delay(x, 6 - k) @ weight[:, :, k].T for k in range(7)), zeros)


def leaky(v: Array) -> Array:
    return np.where(v > 0, v, np.float32(0.2) * v)


def network(latents: Array, gains: Array, counts: Array, model: ModelFile) -> tuple[Array, Array]:
    """Return the output x of the Decoder network, one hop per frame, and its features."""

    def w(name: str) -> Array:
        return model[f"decoder.{name}"]

    config, ahead = model.config, model.config["lookahead"]
    u = latents / w("band_scale")[:160]
    now_u, g, n = delay(u, ahead), delay(gains, ahead), delay(counts, ahead)
    later = []
    for k in range(1, ahead + 1):
        back = ahead - k
        later += [delay(u, back), (delay(gains, back) - g)[:, None] / 8]
        later.append(delay(counts, back)[:, None] / 8)
    level = (g * config["gain_step_db"] + config["gain_floor_db"] + 40) / 20
    pair = np.stack([level, level - delay(level, 1)], axis=1)
    z = now_u @ w("project_in.weight") + w("project_in.bias")
    z = z + np.concatenate(later, axis=1) @ w("lookahead.layers.0.weight")
    z = z + pair @ w("gain.feature.weight") + w("gain.feature.bias")
    z = (z + w("stage_feature.weight")[n]).astype(np.float32)
    for i in range(config["decoder_blocks"]):
        mixed = mix(z, w(f"layers.{i}.mix.weight"))
        mean, variance = mixed.mean(1, keepdims=True), mixed.var(1, keepdims=True)
        normal = (mixed - mean) / np.sqrt(variance + 1e-5)
        normal = normal * w(f"layers.{i}.norm.weight") + w(f"layers.{i}.norm.bias")
        v = normal @ w(f"layers.{i}.expand.weight") + w(f"layers.{i}.expand.bias")
        v = v / 2 * (1 + np.vectorize(math.erf)(v / math.sqrt(2)))
        z = z + v @ w(f"layers.{i}.reduce.weight") + w(f"layers.{i}.reduce.bias")
    v = (z @ w("project_out.weight") + w("project_out.bias")) * w("band_scale")
    shape = np.sign(v) * ((np.abs(v) + 0.02**0.6) ** (1 / 0.6) - 0.02)
    decibels = config["gain_floor_db"] + config["gain_step_db"] * (g - 1)
    x = shape * np.where(g > 0, 10 ** (decibels / 20), 0)[:, None]
    return inverse_transform(x, model), z


def inverse_transform(coefficients: Array, model: ModelFile) -> Array:
    """Return samples [T] of coefficients [F, 320]."""
    y = coefficients @ model["decoder.up_subframes.weight"]
    s = (y[:, :384] + delay(y, 1)[:, 384:]).reshape(-1, 96)
    v = mix(s, model["decoder.subframe.0.mix.weight"])
    v = leaky(v @ model["decoder.subframe.0.expand.weight"])
    s = s + v @ model["decoder.subframe.0.reduce.weight"]
    feature = (s @ model["decoder.up_samples.weight"]).reshape(-1, 4)
    first = leaky(convolve(feature, model["decoder.features.first.weight"]))
    second = convolve(first, model["decoder.features.second.weight"])
    return (feature @ model["decoder.features.skip.weight"] + second)[:, 0]


def remove_dc(x: Array) -> Array:
    total = np.cumsum(np.concatenate([np.zeros(4800), x]))
    return x - np.concatenate([total[4800:4801], total[4801:] - total[1:-4800]]) / 4800


def window(size: int) -> Array:
    return np.sin(np.pi * (np.arange(size) + 0.5) / size)


def shares() -> Array:
    f = 75 * np.arange(161)
    bark = 26.81 * f / (1960 + f)
    place = 25 * bark / bark[-1]
    return np.maximum(0, 1 - np.abs(place - np.arange(BANDS)[:, None]))


def energies(spectra: Array) -> Array:
    share = shares()
    return np.abs(spectra) ** 2 @ share.T / share.sum(1)


def spectra_of(h: Array) -> Array:
    """Return two spectra per hop: of the boundary before it, and of the hop itself."""
    padded = np.concatenate([np.zeros(HOP // 2), h])
    starts = range(0, len(h), HOP // 2)
    return np.stack([np.fft.rfft(padded[s : s + HOP] * window(HOP)) for s in starts])


def corrections(hops: int, parts: list[Channel], model: ModelFile) -> Array:
    """Return the correction of each hop of h [F, BANDS]."""
    result = np.zeros((hops, BANDS))
    at = 0
    for part in parts:
        counts, frames = part.counts, len(part.counts)
        fine = max(counts) >= model.config["correction_fine"]
        span = 1 if fine else model.config["correction_frames"]
        means, weights = (
            model[f"corrections.{name}"][0 if fine else 1] for name in ("means", "weights")
        )
        before = means
        for number, codes in enumerate(part.corrections):
            before = means + (before - means) @ weights
            for i, code in enumerate(codes):
                before = (
                    before + model["corrections.scales"][i] * model["corrections.entries"][i, code]
                )
            before = np.clip(before, -4, 4)
            result[at + number * span : at + min((number + 1) * span, frames)] = before
        at += frames
    result[at:] = result[at - 1]
    return result


def correction_filter(h: Array, correction: Array) -> Array:
    """Return y: the filtered signal, a hop late."""
    c = np.pad(correction.repeat(2, axis=0), ((1, 1), (0, 0)))
    spectra = spectra_of(h)[: len(c) - 3]
    smooth = (c[:-3] + 8 * c[1:-2] + c[2:-1]) / 10
    windows = np.fft.irfft(spectra * (np.exp(smooth) @ shares()))
    return np.concatenate([np.zeros(HOP), overlap_add(windows)[HOP // 2 :]])[: len(h)]


def overlap_add(blocks: Array) -> Array:
    """Return the sum of windowed blocks that lie half a hop apart."""
    result = np.zeros((len(blocks) + 1) * HOP // 2)
    for number, block in enumerate(blocks):
        result[number * HOP // 2 :][:HOP] += block * window(HOP)
    return result


def adaptive_filter(y: Array, features: Array, counts: Array, model: ModelFile) -> Array:
    """Return a: the filtered signal, three hops late."""
    if "filter.enter.weight" not in model.tensors:
        return delay(y, 3 * HOP)

    def w(name: str) -> Array:
        return model[f"filter.{name}"]

    numbers = range(-6, len(y) // 160 - 6)
    signal = np.pad(y, (20 * HOP, 0))  # sample 0 is at 20 hops

    def samples(at: int, length: int = HOP) -> Array:
        return signal[20 * HOP + at :][:length]

    lags, strengths = periods(y)
    stretches = len(w("leave.bias")) // BANDS - 1
    spectra = np.zeros((len(numbers), 1 + stretches, 161), dtype=complex)
    for i, j in enumerate(numbers):
        for s, offset in enumerate([0, *offsets(j, lags, stretches - 2)]):
            spectra[i, s] = np.fft.rfft(samples(160 * j + offset) * window(HOP))
    parts = filter_inputs(samples, spectra, features, counts, model)
    pairs = [(lags.get(j, [0, 0]), strengths.get(j, [0, 0])) for j in numbers]
    inputs = [
        [*own, *(np.log2(np.abs(lag) + 1) / 4 - 1.5), *strength]
        for own, (lag, strength) in zip(parts, pairs, strict=True)
    ]
    v = np.array(inputs, dtype=np.float32) @ w("enter.weight") + w("enter.bias")
    for i in range(sum(name.endswith("mix.weight") for name in model.tensors if "filter." in name)):
        taps = w(f"layers.{i}.mix.weight")
        mixed = sum(tap * delay(v, len(taps) - 1 - k) for k, tap in enumerate(taps))
        mean, variance = mixed.mean(1, keepdims=True), mixed.var(1, keepdims=True)
        normal = (mixed - mean) / np.sqrt(variance + 1e-5)
        normal = normal * w(f"layers.{i}.norm.weight") + w(f"layers.{i}.norm.bias")
        hidden = normal @ w(f"layers.{i}.expand.weight") + w(f"layers.{i}.expand.bias")
        hidden = np.maximum(0, hidden)
        v = v + hidden @ w(f"layers.{i}.reduce.weight") + w(f"layers.{i}.reduce.bias")
    raw = (v @ w("leave.weight") + w("leave.bias")).reshape(len(v), -1, BANDS)
    level = np.exp(np.clip(raw[:, :1], -4, 2))
    gains = np.concatenate([1 - raw[:, 1:].sum(1, keepdims=True), raw[:, 1:]], axis=1) * level
    filtered = ((gains @ shares()) * spectra).sum(1)
    height = np.log(np.abs(filtered) ** 2 + 1e-7) / 2
    k = np.arange(161)
    near = np.exp(-(((k - k[:, None]) / (400 / 75)) ** 2) / 2)
    gain = np.minimum(1, 0.85 * np.exp(0.15 * (height - height @ (near / near.sum(0)))))
    return overlap_add(np.fft.irfft(filtered * gain))[: len(y)]


def periods(y: Array) -> tuple[dict[int, Array], dict[int, Array]]:
    """Return lags and strengths before and after the centres of windows; lags before are
    negative."""
    k = np.arange(-31, 32)
    taps = np.sinc(3000 / 24000 * k) * (0.54 + 0.46 * np.cos(np.pi * k / 31))
    edge = 2 * HOP
    low = np.convolve(np.pad(y, edge), taps / taps.sum(), "same")
    lags, strengths = {}, {}
    for j in range(len(y) // 160 - 6):
        found = []
        centre = edge + 160 * (j + 1)
        own = low[centre - 200 : centre + 200]
        for side in (-1, 1):
            best, period, similarity = -np.inf, 60, 0.0
            for lag in range(60, 401):
                other = low[centre - 200 + side * lag :][:400]
                c = own @ other / (np.sqrt((own @ own) * (other @ other)) + 1e-9)
                if c - 2e-4 * lag > best:
                    best, period, similarity = c - 2e-4 * lag, lag, c
            found.append((side * period, np.clip((similarity - 0.6) / 0.35, 0, 1)))
        lags[j], strengths[j] = np.array(found).T
    return lags, strengths


def offsets(j: int, lags: dict[int, Array], before: int) -> list[int]:
    """Return by how many samples each stretch begins after window j."""
    result, offset = [], 0
    for number in range(1, before + 1):
        offset += int(lags.get(j + round(offset / 160), [0, 0])[0])
        result.append(offset)
        if number <= 2:
            result.append(number * int(lags.get(j, [0, 0])[1]))
    return result


def filter_inputs(
    samples: Callable[[int, int], Array],
    spectra: Array,
    features: Array,
    counts: Array,
    model: ModelFile,
) -> list[list[float]]:
    """Return the inputs 1 to 5 of the network, window by window from window -6 on."""
    own = energies(spectra[:, 0])
    e = np.pad(own + 1e-9, ((26, 4), (0, 0)))  # window j is at j + 32
    e[:30] = 0
    for j in range(len(own) - 6, len(own) - 2):
        e[j + 32] = energies(np.fft.rfft(samples(160 * j, HOP) * window(HOP))) + 1e-9
    width = features.shape[1]
    z = np.concatenate([np.zeros((1, width)), features, np.zeros((4, width))])
    q = z @ model["filter.project.weight"] + model["filter.project.bias"]
    q = q.reshape(2 * len(z), -1)
    q = np.pad(q, ((10, 0), (0, 0)))  # half hop i is at i + 10
    n = np.concatenate([[0, 0, 0, 0], counts, [0, 0, 0, 0]])  # that of frame m is at m + 4
    share = shares()
    inputs = []
    for i in range(len(own)):
        j = i - 6
        around = e[j + 16 : j + 37]
        levels = np.log(np.maximum(e[j + 28 : j + 37] / around.mean(), 1e-6)) / 4
        row = [*levels.T.ravel(), *q[j + 6 : j + 15].T.ravel()]
        for stretch in spectra[i, 1:]:
            product = stretch.real * spectra[i, 0].real + stretch.imag * spectra[i, 0].imag
            norm = (energies(stretch) + 1e-9) * (own[i] + 1e-9)
            row += [*(product @ share.T / share.sum(1) / np.sqrt(norm))]
        groups = np.square(samples(160 * (j - 1), 640)).reshape(32, 20).mean(1) + 1e-9
        row += [*(np.log(np.maximum(groups / groups.mean(), 1e-5)) / 4), n[j // 2 + 3] / 8]
        inputs.append(row)
    return inputs


def gate(gains: Array) -> Array:
    i = np.arange(HOP)
    fall, rise = np.maximum(0, 64 - i) / 64, np.maximum(0, i + 65 - HOP) / 64
    cases = {(1, 1): np.ones(HOP), (1, 0): fall, (0, 1): rise, (0, 0): np.zeros(HOP)}
    before = np.concatenate([[0], gains[:-1]])
    return np.concatenate(
        [cases[int(a > 0), int(b > 0)] for a, b in zip(before, gains, strict=True)]
    )


def high_band(y: Array, packets: list[list[Channel]], channel: int) -> Array:
    """Return the noise of one coded channel at 48,000 Hz."""
    result = np.zeros(2 * len(y) + HOP)
    levels: list[list[int]] = []
    for packet in packets:
        part = packet[channel]
        assert part.levels is not None, "the file has a high band"
        span = high_span(part.counts)
        levels += [part.levels[f // span] for f in range(len(part.counts))]
    for h in range(len(y) // HOP):
        own = np.fft.rfft(y[h * HOP : (h + 1) * HOP] * window(HOP))
        strength = math.sqrt(energies(own)[23:25].mean() + 1.6e-7)
        for s in (2 * h, 2 * h + 1):
            bins = np.zeros(HOP + 1, dtype=complex)
            for band, n in enumerate(levels[h]):
                k = np.arange(EDGES[band], EDGES[band + 1])
                size = math.sqrt(2 * 10 ** ((3 * n - 85) / 10) * strength) if n else 0
                bins[k] = size * np.exp(2j * np.pi * hashes(s, k, channel) / 2**32)
            result[s * HOP : s * HOP + 2 * HOP] += np.fft.irfft(bins) * window(2 * HOP)
    return result[: 2 * len(y)]


def hashes(s: int, k: Array, channel: int) -> Array:
    v = (s * 0x9E3779B1 + k * 0x85EBCA77 + channel * 0xC2B2AE3D) % 2**32
    v = (v ^ (v >> 16)) * 0x7FEB352D % 2**32
    v = (v ^ (v >> 15)) * 0x846CA68B % 2**32
    return v ^ (v >> 16)


def restore(pair: Array, angles: list[int]) -> Array:
    """Return left and right [H * n, 2] of principal and residual, whose hops have these angles."""
    n = len(pair) // len(angles)
    result = np.zeros_like(pair)
    for h, own in enumerate(angles):
        before = angles[h - 1] if h else own
        change = (own - before + 128) % 256 - 128
        angle = 2 * np.pi / 256 * (before + change * (np.arange(n) + 0.5) / n)
        cosine, sine = np.cos(angle), np.sin(angle)
        p, r = pair[h * n : (h + 1) * n].T
        turned = np.stack([cosine * p + sine * r, sine * p - cosine * r], axis=1)
        result[h * n : (h + 1) * n] = turned * (abs(cosine) + abs(sine))[:, None]
    return result
