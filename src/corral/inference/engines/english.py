"""How English is pronounced, from misaki's dictionaries (Apache-2.0), in misaki's phonemes.

misaki itself tags each word by spaCy first, to tell "read" from "read"; here the more frequent one is taken. Words
that the dictionaries lack are left to the caller. Alphabet: misaki's EN_PHONES.md (A, I, O, Q, W, Y are diphthongs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from inflect import engine

Spell = Callable[[str, bool], str]
#: marks that the models know as pauses and tones
MARKS = ";:,.!?—…()“”"
_VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻɐ")
_TITLES = {"mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "vs": "versus", "etc": "et cetera"}
_SIGNS = {
    "%": " percent ",
    "&": " and ",
    "+": " plus ",
    "@": " at ",
    "=": " equals ",
    "#": " number ",
    "°": " degrees ",
}
_MONEY = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
_GREAT = "hundred|thousand|million|billion|trillion"
_NUMBERS = engine()


def phonemes(text: str, british: bool, unknown: Spell) -> str:
    """`text` in phonemes. `unknown` is asked for words that are in no dictionary (word, british)."""
    known = _dictionary(british)
    parts: list[str] = []
    following = ""
    # from the end, since "the", "a" and "to" sound as what follows wants it
    for part in reversed(re.findall(rf"[^\W\d_]+(?:'[^\W\d_]+)*|\s+|[{re.escape(MARKS)}]", spoken(text))):
        if part.isspace():
            said = " "
        elif part in MARKS:
            said = following = part
        else:
            said = _in_context(part, following) or _word(part, known, british) or unknown(part, british)
            following = said
        parts.append(said)
    return "".join(reversed(parts)).strip()


def spelled(word: str, british: bool) -> str:
    """A word letter by letter."""
    known = _dictionary(british)
    letters = [known.get(c.upper(), "") for c in word]
    return _stressed_last("".join(letter for letter in letters if isinstance(letter, str)))


def spoken(text: str) -> str:
    """`text` with its numbers and signs written as words."""
    text = text.translate(str.maketrans("’‘–«»", "''—“”"))
    text = re.sub(r'"([^"]*)"', r"“\1”", text).replace("...", "…").replace("--", "—")
    text = re.sub(rf"\b({'|'.join(_TITLES)})\.", lambda m: _TITLES[m[1].lower()], text, flags=re.I)
    text = re.sub(rf"([$£€])(\d[\d,]*)(?:\.(\d\d?))?((?: (?:{_GREAT}))?)\b", _money, text)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b", _clock, text)
    text = re.sub(r"\b\d{1,15}(?:st|nd|rd|th)\b", lambda m: _words(m[0]), text)
    text = re.sub(r"(?<![\d.,$£€])\b(1[1-9]|20)(\d\d)(s?)\b(?![.,]\d)", _year, text)
    text = re.sub(r"(?<!\w)[-−](?=\d)", "minus ", text)
    text = re.sub(r"\d[\d,]*(?:\.\d+)?|\.\d+", lambda m: f" {_words(m[0])} ", text)
    return re.sub("|".join(map(re.escape, _SIGNS)), lambda m: _SIGNS[m[0]], text)


def _words(number: str) -> str:
    digits = number.replace(",", "")
    # beyond what has a name, and where zeros lead, each digit is read
    by_digit = len(digits.partition(".")[0]) > 17 or (digits[0] == "0" and digits.isdigit() and len(digits) > 1)
    words: Any = _NUMBERS.number_to_words(digits, andword="", comma="", group=1 if by_digit else 0)
    return str(words).replace("-", " ")


def _money(found: re.Match[str]) -> str:
    one, cent = _MONEY[found[1]]
    many = "" if found[2] == "1" and not found[4] else "s"
    said = f"{_words(found[2])}{found[4]} {one}{many}"
    if found[3] and not found[4] and found[3] != "00":
        said += f" and {_words(found[3].ljust(2, '0').removeprefix('0'))} {cent}{'' if found[3] == '01' else 's'}"
    elif found[3] and found[4]:
        said = f"{_words(f'{found[2]}.{found[3]}')}{found[4]} {one}s"
    return said.replace("pennys", "pence")


def _clock(found: re.Match[str]) -> str:
    hour, minute = found[1], found[2]
    rest = "o'clock" if minute == "00" else f"oh {_words(minute[1])}" if minute[0] == "0" else _words(minute)
    return f"{_words(hour)} {rest}"


def _year(found: re.Match[str]) -> str:
    century, year, many = found[1], found[2], found[3]
    if century == "20" and year[0] == "0":
        said = _words(century + year)
    elif year == "00":
        said = f"{_words(century)} hundred"
    else:
        said = f"{_words(century)} {f'oh {_words(year[1])}' if year[0] == '0' else _words(year)}"
    if many:
        return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"
    return said


def _in_context(word: str, following: str) -> str:
    # the marks of stress count as letters
    vowel = next((c in _VOWELS for c in following if c.isalpha() and c not in "ˈˌ"), None)
    match word.lower():
        case "the":
            return "ði" if vowel else "ðə"
        case "a" if word == "a" or vowel is not None:
            return "ɐ"
        case "an":
            return "ɐn"
        case "to" if vowel is not None:
            return "tʊ" if vowel else "tə"
    return ""


def _word(word: str, known: dict[str, Any], british: bool) -> str:
    for form in (word, word.lower(), word.capitalize()):
        if form in known and len(form) > 1:
            return _chosen(known[form])
    if len(word) == 1 or (word.isupper() and len(word) < 6):
        return spelled(word, british)
    return _ended(word.lower(), known, british)


def _ended(word: str, known: dict[str, Any], british: bool) -> str:
    """A word that the dictionary has without its ending (https://en.wiktionary.org/wiki/-s, -ed, -ing)."""
    weak = "ɪ" if british else "ᵻ"

    def stem(*forms: str) -> str:
        return next((_chosen(known[f]) for f in forms if len(f) > 1 and f in known), "")

    if word.endswith(("'s", "s'")) and (found := stem(word[:-2])):
        return found + _s(found, weak)
    if word.endswith("s") and (found := stem(word[:-1], word[:-2], f"{word[:-3]}y" if word.endswith("ies") else "")):
        return found + _s(found, weak)
    if word.endswith("ed") and (found := stem(word[:-1], word[:-2], word[:-3] if word[-3:-2] == word[-4:-3] else "")):
        return found + (f"{weak}d" if found[-1] in "td" else "t" if found[-1] in "pkfθʃsʧ" else "d")
    if word.endswith("ing") and (found := stem(word[:-3], f"{word[:-3]}e", word[:-4])):
        return f"{found}ɪŋ"
    return ""


def _s(stem: str, weak: str) -> str:
    return "s" if stem[-1] in "ptkfθ" else f"{weak}z" if stem[-1] in "szʃʒʧʤ" else "z"


def _chosen(entry: Any) -> str:
    found = entry.get("DEFAULT") if isinstance(entry, dict) else entry
    return found or ""


def _stressed_last(letters: str) -> str:
    """Of letters that are read one by one, the last bears the stress."""
    before, mark, last = letters.rpartition("ˈ")
    return before.replace("ˈ", "") + mark + last


@cache
def _dictionary(british: bool) -> dict[str, Any]:
    """Word -> phonemes, or part of speech -> phonemes. Raises ModuleNotFoundError where misaki is not installed."""
    merged: dict[str, Any] = {}
    for quality in ("silver", "gold"):
        raw = (files("misaki.data") / f"{'gb' if british else 'us'}_{quality}.json").read_text(encoding="utf-8")
        merged |= json.loads(raw)
    return merged
