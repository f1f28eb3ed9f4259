"""From text to what speech models read: sentences, and the sounds of their words (IPA).

English comes from a dictionary that is installed with Corral. Other languages, and English words that it lacks, need
the program espeak-ng on the machine. It is GPL: it is run as a program, and never linked or shipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from corral.inference.engines import english
from corral.inference.engines.base import Refused

#: what people are told who run the hub
INSTALL = (
    "the program espeak-ng on the hub's machine (Debian: apt-get install espeak-ng; macOS: brew install espeak-ng)"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*")
_SECONDS = 20
_MARKS = re.escape(english.MARKS)
#: espeak-ng's IPA, with ^ as its tie -> misaki's phonemes (misaki 0.9.4, `misaki/espeak.py`)
_COMMON = (("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"))
_ENGLISH = (
    ("ʔˌn\u0329", "ʔn"), ("ʔn\u0329", "ʔn"), ("ə^l", "ᵊl"), ("ʲo", "jo"), ("ʲə", "jə"), ("ʲ", ""), ("ɚ", "əɹ"),
    ("ɬ", "l"), ("\u0303", ""),
)  # fmt: skip
_AMERICAN = (("o^ʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""), ("o", "ɔ"))
_BRITISH = (("e^ə", "ɛː"), ("iə", "ɪə"), ("ə^ʊ", "Q"), ("o", "ɔ"))
_ENGLISH_LAST = (("e", "A"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"))
_OTHERS = (("d^z", "ʣ"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("s^s", "S"), ("t^s", "ʦ"), ("-", ""))
#: misaki's phonemes -> IPA as espeak-ng writes it, for models that learned from that
_TO_IPA = (
    ("ɜɹ", "ɜː"), ("əɹ", "ɚ"), ("ˈɑ", "ˈɑː"), ("ˈi", "ˈiː"), ("ˈu", "ˈuː"), ("ˈɔ", "ˈɔː"), ("A", "eɪ"), ("I", "aɪ"),
    ("O", "oʊ"), ("Q", "əʊ"), ("W", "aʊ"), ("Y", "ɔɪ"), ("ʤ", "dʒ"), ("ʧ", "tʃ"), ("ᵊ", "ə"),
)  # fmt: skip
#: a full stop after these ends no sentence
_SHORT = re.compile(r"\b(?:mr|mrs|ms|dr|st|vs|prof|no|\w)\.$", re.I)


def have_espeak() -> bool:
    return shutil.which("espeak-ng") is not None


def sentences(text: str, longest: int = 300) -> list[str]:
    """`text` cut after its sentences, and those that are longer than `longest` characters after commas or words."""
    found: list[str] = []
    before = ""
    for part in re.split(r"(?<=[.!?…。！？])(?:[\"'”’)]*\s+)|(\n)|(?<=[。！？])", text):
        before = f"{before} {(part or '').strip()}".strip()
        if part == "\n" or not _SHORT.search(before[-8:]):
            found += _shorter(before, longest)
            before = ""
    return [*found, *_shorter(before, longest)]


def _shorter(sentence: str, longest: int) -> Iterator[str]:
    while len(sentence) > longest:
        head = sentence[:longest]
        cut = max(head.rfind(mark) for mark in ",;:—、，") + 1 or head.rfind(" ") + 1 or longest
        yield sentence[:cut].strip()
        sentence = sentence[cut:].strip()
    # what holds no letter is not said
    if any(c.isalnum() for c in sentence):
        yield sentence


def misaki(text: str, language: str) -> tuple[str, list[str]]:
    """`text` in misaki's phonemes, and the words that had to be spelled. `language` is espeak-ng's name for it.

    Raises Refused where espeak-ng is needed and is not there.
    """
    if not language.startswith("en"):
        return _replaced(espeak(text, language, tie=True), (*_COMMON, *_OTHERS)).replace("^", ""), []
    said, spelled = _english(text, language)
    # two sounds that misaki 0.9 tells apart, and its models do not
    return said.replace("ɾ", "T").replace("ʔ", "t"), spelled


def ipa(text: str, language: str) -> str:
    """`text` as espeak-ng writes it; English by dictionary where espeak-ng is not there."""
    if not language.startswith("en"):
        return espeak(text, language)
    if have_espeak():
        return espeak(english.spoken(text), language)
    return _replaced(_english(text, "en-us" if language == "en-us" else "en-gb")[0], _TO_IPA)


def _english(text: str, language: str) -> tuple[str, list[str]]:
    british = language == "en-gb"
    spelled: list[str] = []

    def unknown(word: str, british: bool) -> str:
        if have_espeak():
            return _from_espeak(espeak(word, language, tie=True), british)
        spelled.append(word)
        return english.spelled(word, british)

    if find_spec("misaki") is None:
        return _from_espeak(espeak(english.spoken(text), language, tie=True), british), []
    return english.phonemes(text, british, unknown), spelled


def espeak(text: str, language: str, *, tie: bool = False) -> str:
    """IPA by espeak-ng; marks stay where they are. With `tie`, ^ joins the letters of one sound.

    Raises Refused where the program is missing, or does not know the language.
    """
    if not have_espeak():
        raise Refused(f"Speaking this language ({language}) needs {INSTALL}.", 501)
    if not _LANGUAGE.fullmatch(language):
        raise Refused(f"This model names a language that espeak-ng cannot have: {language[:40]!r}.", 501)
    # a mark between two digits belongs to the number
    parts = re.split(rf"(\s*(?:(?<!\d)[{_MARKS}]|[{_MARKS}](?!\d))+\s*)", text)
    return "".join(part if i % 2 else _clause(part, language, tie) for i, part in enumerate(parts)).strip()


def _clause(text: str, language: str, tie: bool) -> str:
    if not text.strip():
        return ""
    command = ["espeak-ng", "-q", "-b", "1", "--ipa", "-v", language, "--stdin", *(["--tie=^"] if tie else [])]
    # brackets would switch to its own notation
    given = re.sub(r"[\[\]]", " ", text)
    quiet = os.environ | {"PULSE_CLIENTCONFIG": str(Path(__file__).with_name("pulse.conf"))}
    try:
        done = subprocess.run(
            command, input=given, env=quiet, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Refused("A sentence is too much for espeak-ng: write it in another way.") from None
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or f"it ended with {done.returncode}"
        raise Refused(f"espeak-ng on this machine does not speak {language!r}: {said}", 501)
    # "(en)" and the like say that a word is from another language
    return " ".join(re.sub(r"\([a-z-]+\)", "", done.stdout).replace("\u200d", "").split())


def _from_espeak(said: str, british: bool) -> str:
    regional = _BRITISH if british else _AMERICAN
    said = _replaced(said, (*_COMMON, *_ENGLISH, *regional, *_ENGLISH_LAST)).replace("^", "")
    # a consonant that is a syllable
    return re.sub("(\\S)\u0329", r"ᵊ\1", said)


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text
