"""Markdown as people write it for Hugging Face: GitHub's dialect, footnotes, heading anchors, HTML in between.

The result is safe to put into a page (`sanitise`). Text of any size or shape gives a page: what is too long is cut,
what cannot be read as Markdown is shown as it stands.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup
from mdit_py_plugins.footnote import footnote_plugin

from corral.web import highlight
from corral.web.sanitise import Base, clean, is_external

#: characters of a card that are rendered
LONGEST = 160_000
#: more tags than this are shown as text: nested deep enough they would keep the sanitiser busy for seconds
_MOST_TAGS = 20_000
_FRONT_MATTER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(\r?\n|\Z)", re.DOTALL)
_TASK = re.compile(r"\[([ xX])\] ")

_log = logging.getLogger(__name__)


def without_front_matter(text: str) -> str:
    return _FRONT_MATTER.sub("", text, count=1)


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    return f'<pre class="md-code"><code>{highlight.block(token.content, language)}</code></pre>\n'


def _image(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """A picture of this hub; one from elsewhere becomes a link, since a page loads nothing from other hosts."""
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    alt = self.renderInlineAsText(token.children or [], options, env)
    title = f' title="{escape(str(token.attrGet("title")))}"' if token.attrGet("title") else ""
    if not is_external(source):
        return f'<img src="{escape(source)}" alt="{escape(alt)}"{title} loading="lazy">'
    label = escape(alt or "picture")
    if token.meta.get("linked"):
        return f'<span class="md-elsewhere">{label}</span>'
    return f'<a class="md-elsewhere" href="{escape(source)}"{title}>{label}</a>'


def _adapt(state: StateCore) -> None:
    """What the parser's own rules leave to be done, in one pass over the tokens.

    Headings get the ids that GitHub would give them; cells are aligned without inline style; check boxes become signs,
    since a card holds no form; pictures know whether they stand in a link.
    """
    seen: dict[str, int] = {}
    heading: Token | None = None
    for index, token in enumerate(state.tokens):
        if token.type == "heading_open":
            heading = token
        elif token.type in ("th_open", "td_open") and (style := token.attrs.pop("style", None)):
            token.attrs["align"] = str(style).rpartition(":")[2].strip()
        elif token.type == "inline":
            if heading is not None:
                heading.attrs["id"] = _heading_id(token, seen)
                heading = None
            children = token.children or []
            if index > 1 and state.tokens[index - 2].type == "list_item_open":
                _task(children)
            _mark_linked(children)


def _task(children: list[Token]) -> None:
    first = children[0] if children else None
    if first is None or first.type != "text" or not (box := _TASK.match(first.content)):
        return
    word, sign = ("to do", "☐") if box[1] == " " else ("done", "☑")
    first.content = first.content[box.end() :]
    sign_token = Token("html_inline", "", 0)
    sign_token.content = f'<span class="md-check" role="img" aria-label="{word}">{sign}</span> '
    children.insert(0, sign_token)


def _mark_linked(children: list[Token]) -> None:
    depth = 0
    for child in children:
        depth += (child.type == "link_open") - (child.type == "link_close")
        if child.type == "image":
            child.meta["linked"] = depth > 0


def _heading_id(inline: Token, seen: dict[str, int]) -> str:
    text = "".join(c.content for c in inline.children or () if c.type in ("text", "code_inline"))
    slug = re.sub(r"\s", "-", re.sub(r"[^\w\- ]", "", text.strip().lower()))[:100] or "section"
    seen[slug] = seen.get(slug, -1) + 1
    return f"{slug}-{seen[slug]}" if seen[slug] else slug


def _parser() -> MarkdownIt:
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": True, "typographer": False})
    parser.use(footnote_plugin)
    parser.core.ruler.push("adapt", _adapt)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _fence)
    parser.add_render_rule("image", _image)
    return parser


_markdown = _parser()


def _as_text(body: str) -> str:
    return f'<pre class="md-code">{escape(body)}</pre>'


@lru_cache(maxsize=64)
def render(text: str, base: Base = Base()) -> Markup:
    """`text` (front matter included or not) as HTML whose relative addresses stay in `base`."""
    body = without_front_matter(text)
    cut = len(body) > LONGEST
    if cut:
        body = body[:LONGEST]
    try:
        html = _as_text(body) if body.count("<") > _MOST_TAGS else clean(_markdown.render(body), base)
    except Exception:  # the parser's own faults must not take the page with them
        _log.exception("a card could not be rendered")
        html = _as_text(body)
    if cut:
        html += '<p class="md-note">The rest of this long document is in the file itself.</p>'
    return Markup(html)  # noqa: S704 - sanitised above
