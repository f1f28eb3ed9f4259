from __future__ import annotations

import re

from corral.web import highlight


def test_a_line_is_whole_html() -> None:
    text = '"""One\ntwo <b>\n"""\nx = 1\n'
    lines = highlight.lines(text, "a/b.py")
    assert len(lines) == 4
    for line in lines:
        assert line.count("<span") == line.count("</span>")
    assert "&lt;b&gt;" in lines[1]


def test_lines_say_what_the_file_says() -> None:
    text = "  indented\n\n\nlast, without an end"
    plain = [re.sub(r"<[^>]*>", "", line) for line in highlight.lines(text, "notes.txt")]
    assert plain == ["  indented", "", "", "last, without an end"]
    assert highlight.lines("a\r\nb\r\n", "x.unknown") == ["a", "b"]


def test_what_is_too_long_to_colour_is_shown_plain() -> None:
    text = "x = 1\n" * 100_000
    lines = highlight.lines(text, "long.py")
    assert len(lines) == 100_000
    assert lines[0] == "x = 1"
    assert highlight.lines("[" + "1," * 50_000 + "1]", "one-line.json")[0].startswith("[1,1,")


def test_languages_by_name() -> None:
    assert "hl-" in highlight.block("FROM debian", "dockerfile")
    assert "hl-" in highlight.lines('{"a": 1}', "data/rows.jsonl")[0]
    assert highlight.block("<x>", "../../etc/passwd") == "&lt;x&gt;"
