"""HTML that strangers wrote, reduced to what cannot harm: a strict allow-list in front of `nh3` (ammonia).

What is not listed goes. Addresses are rewritten here too, so that no way of writing a link escapes the rule:
a relative one stays within the repository at the revision it was read from.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import nh3

_TAGS = set(
    "a abbr audio b blockquote br caption center code col colgroup dd del details div dl dt em figcaption figure h1 h2"
    " h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp section small span strike strong sub summary"
    " sup table tbody td tfoot th thead tr tt u ul var video wbr".split()
)
_ATTRIBUTES = {
    "*": {"id", "class", "title", "lang", "dir", "align"},
    "a": {"href", "aria-label"},
    "img": {"src", "alt", "width", "height", "loading"},
    "video": {"src", "controls", "width", "height", "muted", "loop"},
    "audio": {"src", "controls", "loop"},
    "td": {"colspan", "rowspan", "valign"},
    "th": {"colspan", "rowspan", "scope", "valign"},
    "col": {"span", "width"},
    "ol": {"start", "type", "reversed"},
    "details": {"open"},
    "span": {"role", "aria-label"},
}
#: dropped together with what they hold
_SWALLOWED = {
    "script",
    "style",
    "iframe",
    "object",
    "embed",
    "template",
    "noscript",
    "svg",
    "math",
    "textarea",
    "select",
}
_SCHEMES = {"http", "https", "mailto"}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
#: a browser drops these before it looks at an address
_IGNORED = re.compile(r"[\x00-\x20\x7f-\x9f]+")
_CLASS = re.compile(r"hl-[\w-]+|md-[\w-]+|footnote[\w-]*")
#: ids with this start are the page's own
OWN_ID = "c-"


@dataclass(frozen=True, slots=True)
class Base:
    """Where a document stands: `repo` as `datasets/owner/name`, the revision, and the folder the document is in."""

    repo: str = ""
    revision: str = "main"
    folder: str = ""

    def address(self, url: str, view: str) -> str | None:
        """`url` as it may stand in a page, None if it may not; `view` is `blob` for links, `resolve` for media."""
        url = url.strip()
        bare = _IGNORED.sub("", url)
        if scheme := _SCHEME.match(bare):
            if scheme[1].lower() not in _SCHEMES:
                return None
            return bare
        if bare.startswith(("//", "\\", "/\\")):
            return None
        if bare.startswith(("/", "#", "?")) or not self.repo or not bare:
            return bare
        path, mark, fragment = url.partition("#")
        target = posixpath.normpath(posixpath.join("/", self.folder, unquote(path.partition("?")[0]))).lstrip("/")
        if view == "blob" and (not target or path.endswith("/")):
            view = "tree"
        return f"/{self.repo}/{view}/{quote(self.revision, safe='')}/{quote(target)}{mark}{fragment}"


def is_external(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def clean(html: str, base: Base) -> str:
    """`html` without anything that could run, load from elsewhere, or pass for a part of the page."""

    def attribute(tag: str, name: str, value: str) -> str | None:
        match name:
            case "href":
                return base.address(value, "blob")
            case "src":
                url = base.address(value, "resolve")
                return None if url is None or is_external(url) else url
            case "class":
                return " ".join(c for c in value.split() if _CLASS.fullmatch(c)) or None
            case "id":
                return None if value.startswith(OWN_ID) else value
            case "align" | "dir" | "valign" | "scope":
                return value if value.isalpha() else None
            case "width" | "height" | "colspan" | "rowspan" | "span" | "start":
                return value if re.fullmatch(r"\d{1,4}(px|%)?", value) else None
        return value

    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_SWALLOWED,
        attributes=_ATTRIBUTES,
        attribute_filter=attribute,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer",
        strip_comments=True,
    )
