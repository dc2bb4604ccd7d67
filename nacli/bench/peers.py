"""Other codecs (peers), run by their usual command-line tools at the real bitrates of nacli."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nacli.audio.pcm import decode_samples, encode_samples
from nacli.bench.clips import Clip, read_pcm, resample, write_pcm
from nacli.bench.cost import run_command
from nacli.bench.subject import CodedClip
from nacli.errors import NacliError
from nacli.types import Pcm


@dataclass(frozen=True)
class Peer:
    """A codec with a command for encoding and one for decoding.

    In the commands, {in} and {out} are files and {setting} is one of `settings`, which are sorted
    by the bitrates that they give; {kbps} is the target bitrate. Audio is 16-bit WAV at the rate
    and with the channels of the clip; if `raw_rate` is set, it is headerless and mono at that rate.
    """

    name: str
    encode: str
    decode: str
    suffix: str = ""
    settings: tuple[str, ...] = ("",)
    raw_rate: int | None = None
    version: tuple[str, ...] = ()
    """A command that prints the version in its first line, if there is one."""

    @property
    def missing(self) -> list[str]:
        """The tools that are not on PATH."""
        tools = (shlex.split(command)[0] for command in (self.encode, self.decode))
        return [tool for tool in dict.fromkeys(tools) if shutil.which(tool) is None]

    @property
    def takes_kbps(self) -> bool:
        return "{kbps}" in self.encode


def _steps(first: float, last: float, step: float) -> tuple[str, ...]:
    """Return evenly spaced settings from `first` to `last`."""
    count = round((last - first) / step) + 1
    return tuple(f"{first + step * index:g}" for index in range(count))


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "opus",
            "opusenc --quiet --bitrate {setting} {in} {out}",
            "opusdec --quiet --float {in} {out}",
            ".opus",
            _steps(6, 64, 0.5),
            version=("opusenc", "--version"),
        ),
        Peer(
            "vorbis",
            "oggenc --quiet -q {setting} -o {out} {in}",
            "oggdec --quiet -o {out} {in}",
            ".ogg",
            _steps(-1, 10, 0.25),
            version=("oggenc", "--version"),
        ),
        Peer(
            "mp3",
            "lame --quiet --abr {setting} {in} {out}",
            "lame --quiet --decode {in} {out}",
            ".mp3",
            _steps(8, 128, 1),
            version=("lame", "--version"),
        ),
        Peer(
            "aac",
            "ffmpeg -v error -y -i {in} -c:a aac -b:a {setting}k {out}",
            "ffmpeg -v error -y -i {in} {out}",
            ".m4a",
            _steps(6, 128, 1),
            version=("ffmpeg", "-version"),
        ),
        Peer(
            "codec2",
            "c2enc {setting} {in} {out}",
            "c2dec {setting} {in} {out}",
            ".bit",
            ("700C", "1200", "1300", "1400", "1600", "2400", "3200"),
            8_000,
        ),
    )
}


def custom_peer(text: str) -> Peer:
    """Return the peer of `name: enc {in} {out} :: dec {in} {out}`. Raises `ValueError` for other
    text."""
    name, colon, commands = text.partition(":")
    encode, colons, decode = commands.partition("::")
    peer = Peer(name.strip(), encode.strip(), decode.strip())
    if not (colon and colons and re.fullmatch(r"[\w.+-]+", peer.name)):
        raise ValueError("a peer command has the form 'name: enc {in} {out} :: dec {in} {out}'")
    for command in (peer.encode, peer.decode):
        if "{in}" not in command or "{out}" not in command:
            raise ValueError(f"{command!r} lacks {{in}} or {{out}}")
    return peer


class PeerRun:
    """Codes one clip with one peer, at most once for each setting."""

    def __init__(self, peer: Peer, clip: Clip) -> None:
        self._peer = peer
        self._clip = clip
        self._made: dict[str, CodedClip] = {}

    def nearest(self, kbps: float) -> CodedClip:
        """Return the encoding whose real bitrate is nearest to `kbps`, by bisection over settings.
        Raises `NacliError` if a command fails."""
        if self._peer.takes_kbps:
            return self._code(f"{kbps:.3f}")
        settings = self._peer.settings
        low, high = 0, len(settings) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._kbps(settings[middle]) <= kbps:
                low = middle
            else:
                high = middle
        best = min(settings[low], settings[high], key=lambda s: abs(self._kbps(s) - kbps))
        return self._code(best)

    def _kbps(self, setting: str) -> float:
        return self._code(setting).size * 8 / 1000 / self._clip.seconds

    def _code(self, setting: str) -> CodedClip:
        if setting not in self._made:
            with TemporaryDirectory(prefix="nacli-bench-") as folder:
                self._made[setting] = _code(self._peer, self._clip, setting, Path(folder))
        return self._made[setting]


def _code(peer: Peer, clip: Clip, setting: str, folder: Path) -> CodedClip:
    """Encode and decode through files in `folder`."""
    source, coded, decoded = (
        folder / name for name in ("in.wav", f"coded{peer.suffix}", "out.wav")
    )
    timeout = 60 + 20 * clip.seconds
    _write(source, clip, peer.raw_rate)
    encoding = run_command(_fill(peer.encode, source, coded, setting), folder, timeout)
    decoding = run_command(_fill(peer.decode, coded, decoded, setting), folder, timeout)
    if not (coded.exists() and decoded.exists()):
        raise NacliError("its commands wrote no file")
    pcm, rate = _read(decoded, peer.raw_rate)
    return CodedClip(coded.stat().st_size, pcm, rate, encoding, decoding, setting)


def _write(path: Path, clip: Clip, raw_rate: int | None) -> None:
    if raw_rate is None:
        write_pcm(path, clip.pcm, clip.rate)
    else:
        mono = resample(clip.pcm.mean(1, keepdims=True), clip.rate, raw_rate)
        path.write_bytes(encode_samples(mono, "PCM_16"))


def _read(path: Path, raw_rate: int | None) -> tuple[Pcm, int]:
    if raw_rate is None:
        return read_pcm(path)
    return decode_samples(path.read_bytes(), "PCM_16", 1), raw_rate


def _fill(command: str, source: Path, target: Path, setting: str) -> list[str]:
    """Return the words of a command with files and setting filled in. No shell sees them, so file
    names are not interpreted."""
    values = {"{in}": str(source), "{out}": str(target), "{setting}": setting, "{kbps}": setting}
    words = shlex.split(command)
    for field, value in values.items():
        words = [word.replace(field, value) for word in words]
    return words
