"""Sounds of every kind that is read, sounds that are refused, and how words are told to be spoken."""

from __future__ import annotations

import io
import shutil

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building.models_audio import RATE, long_silence, tone, written
from corral.inference.engines import english, phonemes, sounds
from corral.inference.engines.base import Refused

pytestmark = pytest.mark.slow


def recorded(container: str, codec: str, seconds: int = 2) -> bytes:
    """What a phone or a browser records, by FFmpeg."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=48_000)
        wave = np.sin(np.arange(48_000 * seconds) * (2 * np.pi * 440 / 48_000)).astype(np.float32) / 2
        frame = av.AudioFrame.from_ndarray(wave[None, :], format="fltp", layout="mono")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=48_000, frame_size=960)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return out.getvalue()


def pitch(wave: sounds.Samples) -> float:
    """The loudest frequency, Hz."""
    return float(np.abs(np.fft.rfft(wave)).argmax() * RATE / len(wave))


@pytest.mark.parametrize(
    "data",
    [
        *(tone(2, 44_100, format=kind) for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64", "RF64")),
        tone(2, 48_000, format="OGG", subtype="OPUS"),
        tone(2, 8_000, format="WAV", subtype="ULAW"),
        tone(2, format="WAV", subtype="FLOAT"),
        written(np.stack([np.sin(np.arange(2 * RATE) * (2 * np.pi * 440 / RATE))] * 2, 1) / 2, format="WAV"),
        *(recorded(c, k) for c, k in (("webm", "libopus"), ("mp4", "aac"), ("ipod", "aac"), ("adts", "aac"))),
    ],
    ids=["wav", "flac", "vorbis", "mp3", "aiff", "au", "caf", "w64", "rf64", "opus", "ulaw", "float", "stereo", "webm",
         "mp4", "m4a", "aac"],
)  # fmt: skip
def test_every_kind_of_sound_is_read_as_one_channel_at_the_rate_asked_for(data: bytes) -> None:
    wave = sounds.sound(data, RATE)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    # some coders add a little silence
    assert 1.98 * RATE <= len(wave) <= 2.1 * RATE
    assert pitch(wave) == pytest.approx(440, abs=2)
    assert 0.4 < np.abs(wave).max() < 0.6


@pytest.mark.parametrize("encoding", [e for e in sounds.ENCODINGS if e != "pcm"])
def test_what_is_encoded_is_read_again(encoding: str) -> None:
    wave = sounds.sound(tone(3), RATE)
    media = sounds.encoded(wave, 22_050, encoding)
    assert media.about["seconds"] == pytest.approx(len(wave) / 22_050, abs=0.001)
    assert pitch(sounds.sound(media.data, RATE)) == pytest.approx(440 * 22_050 / RATE, abs=3)


def test_raw_samples_are_little_endian_at_openais_rate() -> None:
    media = sounds.encoded(np.full(16_000, 0.5, np.float32), RATE, "pcm")
    samples = np.frombuffer(media.data, "<i2")
    assert len(samples) == 24_000
    assert samples[12_000] == pytest.approx(16_384, abs=100)


def test_a_sound_that_is_too_long_is_refused_before_it_is_decoded() -> None:
    assert len(sounds.sound(long_silence(29), 1000)) == 29 * 60 * 1000
    with pytest.raises(Refused, match="60 minutes, and 30 are the most"):
        sounds.sound(long_silence(60), RATE)


WHOLE = (
    tone(0.3),
    tone(0.3, format="WAV"),
    tone(0.3, format="OGG"),
    tone(0.3, format="MP3"),
    recorded("mp4", "aac", 1),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(WHOLE), st.data())
def test_whatever_is_broken_is_read_or_refused(whole: bytes, data: st.DataObject) -> None:
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 5)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        wave = sounds.sound(bytes(broken), RATE)
    except Refused as refusal:
        assert refusal.message.endswith(".")
    else:
        assert np.isfinite(wave).all()
        assert 0 < len(wave) <= sounds.MAX_SECONDS * RATE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Dr. Smith's 3rd try, at 10:05.", "doctor Smith's third try, at ten oh five."),
        ("$12.50, £1.01", "twelve dollars and fifty cents, one pound and one penny"),
        ("€3 million or $2.00", "three million euros or two dollars"),
        ("In 1984, 2005 and the 1990s", "In nineteen eighty four, two thousand five and the nineteen nineties"),
        ("1,234.5 is 50% of -7 & 007", "one thousand two hundred thirty four point five is fifty percent of minus seven"
         " and zero zero seven"),
        ("9" * 25, " ".join(["nine"] * 25)),
    ],
)  # fmt: skip
def test_numbers_and_signs_are_written_as_words(text: str, says: str) -> None:
    assert " ".join(english.spoken(text).split()).replace(" ,", ",") == says


def test_english_is_pronounced_by_dictionary_and_the_rest_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phonemes, "have_espeak", lambda: False)
    assert phonemes.misaki("The apple, the pear.", "en-us") == ("ði ˈæpᵊl, ðə pˈɛɹ.", [])
    said, spelled = phonemes.misaki("xqzt walked", "en-us")
    assert spelled == ["xqzt"]
    assert said.endswith(" wˈɔkt")
    assert phonemes.misaki("colour", "en-gb")[0] != phonemes.misaki("color", "en-us")[0]
    assert phonemes.ipa("voice", "en-us") == "vˈɔɪs"
    with pytest.raises(Refused, match="apt-get install espeak-ng") as caught:
        phonemes.misaki("Bonjour", "fr-fr")
    assert caught.value.status == 501


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_other_languages_are_pronounced_by_espeak_ng() -> None:
    assert phonemes.misaki("Bonjour, monde!", "fr-fr")[0].startswith("bɔ̃ʒˈuʁ, ")
    assert phonemes.misaki("xqzt", "en-us")[1] == [], "words that no dictionary has are guessed"
    for language in ("--help", "en;ls", "../../etc", "xx-yy"):
        with pytest.raises(Refused):
            phonemes.espeak("a", language)


def test_long_texts_are_cut_after_sentences_commas_and_words() -> None:
    assert phonemes.sentences('Mr. A. Smith left. "Why?" she asked.\n\n- Because!\n...') == [
        "Mr. A. Smith left.", '"Why?', "she asked.", "- Because!",
    ]  # fmt: skip
    parts = phonemes.sentences("one, two three four five six seven eight, " * 20, 50)
    assert all(len(part) <= 50 for part in parts)
    assert " ".join(parts).count("seven") == 20
    assert [len(p) for p in phonemes.sentences("x" * 120, 50)] == [50, 50, 20]
