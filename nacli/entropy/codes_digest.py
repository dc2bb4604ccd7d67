"""The check value of a stream: a digest of all codes in its packets."""

from __future__ import annotations

import hashlib

import numpy as np

from nacli.entropy.channel_codes import PacketCodes


def update_codes_digest(digest: hashlib._Hash, codes: PacketCodes) -> None:
    """Add a packet to a digest: its angles, then for each channel its gains, stage counts, codes of
    latents and of corrections, and levels of the high band."""
    digest.update(bytes(codes.angles))
    for channel in codes.channels:
        digest.update(channel.gains.astype(np.uint8).tobytes())
        digest.update(channel.counts.astype(np.uint8).tobytes())
        pairs = (
            (channel.codes, channel.counts),
            (channel.corrections, channel.correction_counts),
        )
        for rows, counts in pairs:
            used = np.arange(rows.shape[1]) < counts[:, None]
            digest.update(rows[used].astype("<u2").tobytes())
        if channel.high is not None:
            digest.update(channel.high.astype(np.uint8).tobytes())
