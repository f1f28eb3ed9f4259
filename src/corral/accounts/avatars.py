"""A picture for every account without one: the initial on a colour, both worked out from the name."""

from __future__ import annotations

import hashlib
from xml.sax.saxutils import escape


def svg(name: str, *, is_org: bool = False) -> str:
    """An SVG picture of 80 by 80 units: round for people, with rounded corners for organizations."""
    hue = int.from_bytes(hashlib.sha256(name.lower().encode()).digest()[:2]) % 360
    letter = escape(next((c for c in name if c.isalnum()), "?").upper())
    corner = 18 if is_org else 40
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 80" width="80" height="80">'
        f'<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop stop-color="hsl({hue} 62% 58%)"/>'
        f'<stop offset="1" stop-color="hsl({(hue + 40) % 360} 62% 40%)"/></linearGradient></defs>'
        f'<rect width="80" height="80" rx="{corner}" fill="url(#g)"/>'
        '<text x="40" y="41" font-family="system-ui,sans-serif" font-size="38" font-weight="600" fill="#fff"'
        f' text-anchor="middle" dominant-baseline="central">{letter}</text></svg>'
    )
