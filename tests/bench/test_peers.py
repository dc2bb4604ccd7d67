"""Peers: any command can be one; the encoding nearest to the rate is the one that counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nacli.bench.align import align
from nacli.bench.clips import Clip, read_clip
from nacli.bench.peers import PEERS, Peer, PeerRun, custom_peer
from nacli.errors import NacliError

TALK = Path(__file__).parents[1] / "data" / "talk.flac"


@pytest.fixture(scope="module")
def talk() -> Clip:
    return read_clip(TALK, 2)


def test_a_command_is_a_peer(talk: Clip) -> None:
    peer = custom_peer("copy: cp {in} {out} :: cp {in} {out}")
    coded = PeerRun(peer, talk).nearest(6)
    assert (peer.name, peer.missing, coded.rate) == ("copy", [], talk.rate)
    np.testing.assert_allclose(coded.pcm, talk.pcm, atol=2**-15)
    assert coded.size == 44 + 2 * len(talk.pcm)
    assert 0 < coded.encoding.cpu < 10
    assert 2**20 < coded.encoding.peak < 2**27


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a: cp {in} {out}",
        ": cp {in} {out} :: cp {in} {out}",
        "a: cp {in} :: cp",
        "../a: cp {in} {out} :: cp {in} {out}",
    ],
)
def test_other_text_is_no_peer(text: str) -> None:
    with pytest.raises(ValueError, match=r"form|lacks"):
        custom_peer(text)


def test_the_nearest_rate_is_found(talk: Clip) -> None:
    encode = "dd status=none count=1 bs={setting} if={in} of={out}"
    settings = tuple(str(size) for size in range(100, 12_100, 500))
    run = PeerRun(Peer("cut", encode, "cp {in} {out}", settings=settings), talk)
    assert run.nearest(12).size == 3100  # 12 kbps are 3000 bytes
    assert run.nearest(0.1).size == 100
    assert run.nearest(1000).size == 11_600


def test_the_setting_may_be_the_bitrate_itself(talk: Clip) -> None:
    peer = custom_peer("copy: cp --suffix={kbps} {in} {out} :: cp {in} {out}")
    assert PeerRun(peer, talk).nearest(12).setting == "12.000"


@pytest.mark.parametrize(
    ("encode", "decode", "cause"),
    [
        ("ls {in} {out}", "cp {in} {out}", "No such file"),
        ("cp {in} {out}", "true {in} {out}", "no file"),
        ("nothing-is {in} {out}", "cp {in} {out}", "nothing-is"),
    ],
)
def test_a_command_that_fails_says_why(encode: str, decode: str, cause: str, talk: Clip) -> None:
    with pytest.raises(NacliError, match=cause):
        PeerRun(custom_peer(f"bad: {encode} :: {decode}"), talk).nearest(6)


def test_a_tool_that_is_not_there_is_named() -> None:
    assert custom_peer("a: nothing-is {in} {out} :: cp {in} {out}").missing == ["nothing-is"]


@pytest.mark.parametrize("name", PEERS)
def test_known_peers_come_back_aligned(name: str, talk: Clip) -> None:
    peer = PEERS[name]
    if peer.missing:
        pytest.skip(f"{name} is not installed")
    peer = replace(peer, settings=peer.settings[3::20] or peer.settings[-1:])
    coded = PeerRun(peer, talk).nearest(24)
    assert 0.5 < coded.size * 8 / 1000 / talk.seconds < 60
    aligned, _ = align(talk.pcm, coded.pcm, talk.rate, coded.rate)
    again, left = align(talk.pcm, aligned, talk.rate, talk.rate)
    assert (left, again.shape) == (0, talk.pcm.shape)
