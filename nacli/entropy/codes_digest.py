"""The check value of a stream: a digest of everything that its packets say."""

from __future__ import annotations

import hashlib

import numpy as np

from nacli.entropy.model import ChannelCodes


def update_codes_digest(digest: hashlib._Hash, channels: list[ChannelCodes]) -> None:
    """Add the gains, stage counts, codes, corrections and high band of a packet, by channel."""
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
