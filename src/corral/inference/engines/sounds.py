"""Sounds that people send, decoded safely, and sounds that go back to them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import numpy as np
import soundfile
import soxr

from corral.inference.calls import Media
from corral.inference.engines.base import Refused

Samples = np.ndarray[tuple[int], np.dtype[np.float32]]

#: a longer sound is refused, whatever little room it takes
MAX_SECONDS = 30 * 60
MAX_CHANNELS = 8
RATES = (1_000, 400_000)
#: what libsndfile reads here; it knows more, such as headerless and MATLAB files
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")
#: containers that phones and browsers record, by the bytes at a place in them -> FFmpeg's name
_CONTAINERS = (
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (4, b"ftyp", "mov"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
)
_CODECS = ("aac", "alac", "flac", "mp3", "mp3float", "opus", "vorbis")
#: for people
KINDS = "WAV, FLAC, MP3, Ogg (Vorbis or Opus), AIFF, AU, CAF, M4A, MP4, AAC or WebM"
#: frames that are decoded or encoded at once
_BLOCK = 65_536
#: name -> libsndfile's container and coding, media type, rates that it can have (any where there are none)
ENCODINGS: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
    "wav": ("WAV", "PCM_16", "audio/wav", ()),
    "flac": ("FLAC", "PCM_16", "audio/flac", ()),
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg", (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)),
    "opus": ("OGG", "OPUS", "audio/ogg", (16_000, 24_000, 48_000)),
    # OpenAI's: no header, 24 kHz
    "pcm": ("RAW", "PCM_16", "audio/pcm", (24_000,)),
}


def sound(data: bytes, rate: int, what: str = "The sound") -> Samples:
    """Decode a sound: one channel, `rate` samples a second, full scale is 1.

    Raises Refused when it is none of `KINDS`, broken, cut off, empty, too long, or has too many channels.
    """
    if not data:
        raise Refused(f"{what} is empty: send the bytes of a sound.")
    try:
        samples = _decoded(data, rate, what)
    except Refused:
        raise
    except Exception as error:
        # at broken files the decoders raise whatever they come upon
        raise Refused(f"{what} is broken: {_words(error)}") from None
    if not len(samples):
        raise Refused(f"{what} holds no samples: send one that lasts some time.")
    if not np.isfinite(samples).all():
        raise Refused(f"{what} holds values that are not numbers: write it anew.")
    return samples


def encoded(samples: np.ndarray, rate: int, encoding: str = "wav") -> Media:
    """A sound as an answer, in one of `ENCODINGS`; `samples` is (length,), full scale is 1."""
    container, coding, kind, rates = ENCODINGS[encoding]
    samples = np.nan_to_num(np.asarray(samples, np.float32).reshape(-1)).clip(-1, 1)
    seconds = round(len(samples) / rate, 3)
    if rates and rate not in rates:
        better = min((r for r in rates if r >= rate), default=max(rates))
        samples, rate = soxr.resample(samples, rate, better), better
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", rate, 1, coding, format=container) as file:
        # libsndfile's coders want small pieces: they keep them on the stack
        for start in range(0, len(samples), _BLOCK):
            file.write(samples[start : start + _BLOCK])
    return Media(out.getvalue(), kind, {"seconds": seconds, "rate": rate})


def _decoded(data: bytes, rate: int, what: str) -> Samples:
    for at, magic, container in _CONTAINERS:
        if data[at : at + len(magic)] == magic:
            return _by_ffmpeg(data, container, rate, what)
    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except soundfile.LibsndfileError:
        raise Refused(f"{what} is not a sound that can be read: send {KINDS}.") from None
    with file:
        if file.format not in FORMATS:
            raise Refused(f"{what} is of the kind {file.format}, which is not read here: send {KINDS}.")
        _check(file.frames / file.samplerate, file.samplerate, file.channels, what)
        samples = _joined(_blocks(file), file.samplerate, rate, what)
        # MP3's headers may be off by a little
        if file.tell() < 0.98 * file.frames or _shorter_than_said(data):
            raise Refused(f"{what} is cut off: there is less of it than its header says. Send it again.")
    return samples


def _shorter_than_said(data: bytes) -> bool:
    """Of a WAV file, which libsndfile reads as far as it goes. Who writes into a pipe says the largest number."""
    said = int.from_bytes(data[4:8], "little") + 8
    return data[:4] == b"RIFF" and len(data) < said < 2**31 - 2**12


def _check(seconds: float, rate: int, channels: int, what: str) -> None:
    if channels > MAX_CHANNELS:
        raise Refused(f"{what} has {channels} channels, and {MAX_CHANNELS} are the most: mix it down to one.")
    if not RATES[0] <= rate <= RATES[1]:
        raise Refused(f"{what} has {rate} samples a second: send one with {RATES[0]} to {RATES[1]}.")
    if seconds > MAX_SECONDS:
        raise Refused(
            f"{what} lasts {seconds / 60:.0f} minutes, and {MAX_SECONDS // 60} are the most: cut it to pieces."
        )


def _blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        yield block.mean(axis=1)


def _joined(blocks: Iterator[np.ndarray], given: int, rate: int, what: str) -> Samples:
    """The blocks in one, resampled as they come: the whole at the given rate may be many times as large."""
    stream = soxr.ResampleStream(given, rate, 1, dtype="float32")
    parts, heard = [], 0
    for block in blocks:
        heard += len(block)
        # headers may say less than what comes
        _check(heard / given, given, 1, what)
        parts.append(stream.resample_chunk(block))
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(parts)


def _by_ffmpeg(data: bytes, container: str, rate: int, what: str) -> Samples:
    """What libsndfile does not read. FFmpeg is told the container, and takes few codecs: it knows hundreds of each."""
    with av.open(io.BytesIO(data), format=container) as opened:
        if not opened.streams.audio:
            raise Refused(f"{what} has no sound in it.")
        stream = opened.streams.audio[0]
        coding = stream.codec_context.name
        if coding not in _CODECS and not coding.startswith("pcm_"):
            raise Refused(f"{what} is coded as {coding}, which is not read here: send {KINDS}.")
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        _check(seconds, stream.codec_context.sample_rate, stream.codec_context.channels, what)
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts, heard = [], 0
        for frame in opened.decode(stream):
            heard += frame.samples
            _check(heard / frame.sample_rate, frame.sample_rate, len(frame.layout.channels), what)
            parts += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
        parts += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(None)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _words(error: Exception) -> str:
    # FFmpeg's have a number and a file name around it
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")[:200] + "."
