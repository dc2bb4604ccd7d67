"""The check value of a stream: a digest of all codes in its packets."""

from __future__ import annotations

import hashlib

import numpy as np

from nacli.entropy.channel_codes import ChannelCodes


def update_codes_digest(digest: hashlib._Hash, channels: list[ChannelCodes]) -> None:
    """Add a packet to a digest: for each channel its gains, stage counts, codes of latents and of
    corrections, and levels of the high band."""
    for channel in channels:
        digest.update(channel.gains.astype(np.uint8).tobytes())
        digest.update(channel.counts.astype(np.uint8).tobytes())
        pairs = (
            (channel.codes, channel.counts),
            (channel.corrections, channel.correction_counts),
        )
        for codes, counts in pairs:
            used = np.arange(codes.shape[1]) < counts[:, None]
            digest.update(codes[used].astype("<u2").tobytes())
        if channel.high is not None:
            digest.update(channel.high.astype(np.uint8).tobytes())
