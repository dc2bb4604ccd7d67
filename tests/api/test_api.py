"""Arguments of the Python API: all kinds of samples and sources, and one clear line for others."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacli
from fake_model import make_model
from nacli import errors
from nacli.api import decode, encode
from nacli.decoder.stream import Decoder
from nacli.encoder.stream import Encoder
from nacli.inspection.info import read_info
from recordings import header_of, sound

API: Any = nacli
MODEL = make_model()
RATE = 24_000
PCM = sound(3000, 2)
WORDS = (np.clip(PCM, -0.9, 0.9) * 32768).astype(np.int16)
FLOATS = WORDS.astype(np.float32) / 32768


class Tensor:
    """Like torch's: it becomes an array only after it has been detached and moved to the CPU."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, *_: Any) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return self._array


@pytest.mark.parametrize(
    "pcm",
    [
        WORDS,
        WORDS.astype(">i2"),
        WORDS.astype(np.int32) << 16,
        FLOATS.astype(np.float64),
        FLOATS.tolist(),
        Tensor(FLOATS),
        Tensor(WORDS),
    ],
    ids=["int16", "big-endian", "int32", "float64", "list", "tensor", "int16 tensor"],
)
def test_samples_of_every_kind_give_the_same_file(pcm: Any) -> None:
    expected = encode(FLOATS, RATE, model=MODEL)
    assert encode(pcm, RATE, model=MODEL) == expected
    encoder = Encoder(MODEL, RATE, 2, samples=len(FLOATS))
    assert encoder.encode(pcm) + encoder.finish() == expected


def test_bytes_are_scaled_as_in_wav_files() -> None:
    levels = (WORDS >> 8).astype(np.int8)
    expected = encode(levels / np.float32(128), RATE, model=MODEL)
    assert encode(levels, RATE, model=MODEL) == expected
    assert encode((levels.astype(int) + 128).astype(np.uint8), RATE, model=MODEL) == expected


@pytest.mark.parametrize(
    ("pcm", "words"),
    [
        ("talk.wav", "str.*an array, tensor or list"),
        (None, "NoneType.*an array"),
        ([[0.0], [0.0, 1.0]], "list.*an array"),
        ([0, 1, 2], "int64.*int16, int32, int8 or uint8"),
        (np.zeros(9, np.uint16), "uint16.*int16"),
        (np.zeros(9, complex), "ndarray.*floats"),
        (np.zeros((2, 9000), np.float32), r"9000 channels.*pcm\.T"),
        (np.float32(0.5), r"shape \(\)"),
        (FLOATS * 32768, "reaches .*full scale is 1.*32768"),
    ],
)
def test_other_samples_are_refused_in_one_line(pcm: Any, words: str) -> None:
    with pytest.raises(nacli.UnsupportedAudio, match=words) as error:
        encode(pcm, RATE, model=MODEL)
    assert "\n" not in str(error.value)


def test_a_loud_recording_or_a_single_outlier_is_accepted() -> None:
    loud = FLOATS * 8
    loud[100] = 1000
    assert encode(loud, RATE, model=MODEL)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: API.encode(PCM, "24k", model=MODEL), "sample_rate is a str.*an integer"),
        (lambda: API.encode(PCM, 44_100.5, model=MODEL), "sample_rate is a float"),
        (lambda: API.encode(PCM, RATE, bitrate="6", model=MODEL), "bitrate is a str.*a number"),
        (lambda: API.encode(PCM, RATE, quality=[5], model=MODEL), "quality is a list.*a number"),
        (lambda: API.encode(PCM, RATE, effort=None, model=MODEL), "effort is a NoneType"),
        (lambda: API.encode(PCM, RATE, packet_frames="9", model=MODEL), "packet_frames is a str"),
        (lambda: API.encode(PCM, RATE, sample_format=16, model=MODEL), "sample_format is a int"),
        (lambda: API.encode(PCM, RATE, picture="a.png", model=MODEL), "picture is a str.*bytes"),
        (lambda: API.encode(PCM, RATE, tags="TITLE=x", model=MODEL), "tags is a str.*NAME=value"),
        (lambda: API.encode(PCM, RATE, tags=7, model=MODEL), "tags is a int.*NAME=value"),
        (lambda: API.encode(PCM, RATE, tags=[("A", "b")], model=MODEL), "a tag is a tuple"),
        (lambda: API.encode(PCM, RATE, tags={"A": 1}, model=MODEL), "value of a tag is a int"),
        (lambda: API.encode(PCM, RATE, tags={1: "a"}, model=MODEL), "name of a tag is a int"),
        (lambda: API.encode(PCM, RATE, model="m.safetensors"), "model is a str.*load_model"),
        (lambda: API.load_model(7), "path is a int.*safetensors"),
        (lambda: API.decode(None, model=MODEL), "source is a NoneType.*a path, bytes, or a file"),
        (lambda: API.decode(io.StringIO("x"), model=MODEL), "open as text.*binary"),
        (lambda: API.decode(b"", model=MODEL, start=[1]), "position is a list"),
        (lambda: API.decode(b"", model=MODEL, on_gap=7), "on_gap is a int.*a function"),
        (lambda: API.Decoder(MODEL).decode("x.nac"), "data is a str.*bytes"),
        (lambda: API.read_info(12), "source is a int.*a path, bytes"),
    ],
)
def test_arguments_of_other_types_are_refused_in_one_line(
    call: Callable[[], Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words) as error:
        call()
    assert "\n" not in str(error.value) and "nacli" in str(error.value)


def test_numbers_of_any_numeric_type_are_accepted() -> None:
    expected = encode(PCM, RATE, bitrate=6, model=MODEL)
    numbers: list[tuple[Any, Any]] = [
        (float(RATE), np.float32(6)),
        (np.int64(RATE), np.int16(6)),
    ]
    for rate, bitrate in numbers:
        assert encode(PCM, rate, bitrate=bitrate, model=MODEL) == expected


def test_tags_may_be_a_dictionary() -> None:
    data = encode(PCM, RATE, tags={"TITLE": "a=b", "ARTIST": ["x", "y"]}, model=MODEL)
    assert header_of(data).tags == ("TITLE=a=b", "ARTIST=x", "ARTIST=y")
    with pytest.raises(ValueError, match="NAME=value"):
        encode(PCM, RATE, tags={"TÎTRE": "x"}, model=MODEL)


def test_a_path_bytes_and_a_file_are_sources(tmp_path: Path) -> None:
    data = encode(PCM, RATE, model=MODEL)
    path = tmp_path / "x.nac"
    path.write_bytes(data)
    expected, info = decode(data, model=MODEL)[0], read_info(str(path))
    sources: list[Any] = [str(path), path, data, bytearray(data), memoryview(data)]
    for source in [*sources, io.BytesIO(data)]:
        np.testing.assert_array_equal(decode(source, model=MODEL)[0], expected)
    for source in [*sources, io.BytesIO(data)]:
        assert read_info(source) == info
    with open(path, "rb") as file:
        np.testing.assert_array_equal(decode(file, model=MODEL)[0], expected)
    part, _ = decode(path, model=MODEL, start="1000smp", stop="1500smp")
    np.testing.assert_array_equal(part, expected[1000:1500])


def test_errors_name_the_path(tmp_path: Path) -> None:
    path = tmp_path / "x.nac"
    for read in (read_info, lambda source: decode(source, model=MODEL)):
        with pytest.raises(nacli.UnreadableInput, match=r"x\.nac: No such file"):
            read(path)
    path.write_text("no audio")
    for read in (read_info, lambda source: decode(source, model=MODEL)):
        with pytest.raises(nacli.NotNac, match=r"x\.nac: not a \.nac file"):
            read(str(path))


def test_every_error_can_be_imported_from_the_package() -> None:
    classes: list[Any] = [errors.NacliError, *errors.NacliError.__subclasses__()]
    for error in classes:
        assert getattr(nacli, error.__name__) is error
    documented: list[Any] = [encode, decode, read_info, nacli.load_model, Encoder, Decoder]
    documented += [Encoder.__init__, Encoder.encode, Decoder.__init__, Decoder.decode]
    names = {name for one in documented for name in re.findall(r"[A-Z]\w+", one.__doc__ or "")}
    known = {name for name in names if hasattr(errors, name)}
    assert known >= {"UnsupportedAudio", "NotNac", "WrongModel", "Mismatch", "BadCheckpoint"}
    assert known <= set(nacli.__all__)


def test_a_refused_block_changes_nothing() -> None:
    good = sound(12_000)
    encoder = Encoder(MODEL, RATE, 1)
    with pytest.raises(errors.UnsupportedAudio, match="no number"):
        encoder.encode(np.full(RATE, np.nan))
    with pytest.raises(errors.UnsupportedAudio, match="2 channels"):
        encoder.encode(np.zeros((RATE, 2)))
    made = encoder.encode(good) + encoder.finish()
    other = Encoder(MODEL, RATE, 1)
    assert made == other.encode(good) + other.finish()


def test_blocks_give_the_bytes_of_single_calls_and_an_error_comes_in_its_place() -> None:
    pcm = sound(5 * RATE)
    single, joined = Encoder(MODEL, RATE, 1), Encoder(MODEL, RATE, 1)
    blocks = [pcm[at : at + 7000] for at in range(0, len(pcm), 7000)]
    expected = b"".join(map(single.encode, blocks)) + single.finish()
    assert b"".join(joined.encode_blocks(blocks)) + joined.finish() == expected
    broken, taken = Encoder(MODEL, RATE, 1), []
    with pytest.raises(errors.UnsupportedAudio, match="2 channels"):
        for data in broken.encode_blocks([*blocks, np.zeros((RATE, 2))]):
            taken.append(data)
    assert expected.startswith(b"".join(taken))
    assert len(taken) == 3, "the header and two packets"


def test_a_finished_encoder_or_decoder_says_so() -> None:
    encoder = Encoder(MODEL, RATE, 2)
    data = encoder.encode(PCM) + encoder.finish()
    with pytest.raises(ValueError, match="this Encoder has finished"):
        encoder.encode(PCM)
    with pytest.raises(ValueError, match="this Encoder has finished"):
        encoder.finish()
    decoder = Decoder(MODEL)
    assert len(decoder.decode(data)) + len(decoder.finish()) == len(PCM)
    uses: list[Callable[[], Any]] = [
        lambda: decoder.decode(data),
        decoder.finish,
        lambda: list(decoder.blocks(data)),
        lambda: list(decoder.last_blocks()),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="this Decoder has finished"):
            use()
