"""What a person does on the hub's pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

import httpx
from playwright.sync_api import Page

from building.hub import PASSWORD, Hub

HTML = {"Accept": "text/html"}


def csrf(client: httpx.Client, address: str) -> str:
    """The token that the forms of a page hold."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(address).text)
    assert found, address
    return unescape(found[1])


@contextmanager
def signed_in(hub: Hub, name: str) -> Iterator[httpx.Client]:
    """HTTP as a browser with a session of this person's."""
    with httpx.Client(base_url=hub.url, headers=HTML, timeout=60) as client:
        form = {"csrf": csrf(client, "/login"), "name": name, "password": PASSWORD, "next": "/"}
        answer = client.post("/login", data=form)
        assert answer.status_code == 303, answer.text
        yield client


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/login")
    page.get_by_label("User name or e-mail address").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def overflow(page: Page) -> list[str]:
    """What sticks out of the window to the right although nothing scrolls there; empty where all fits."""
    if page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        return []
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)"
        ".map((e) => `${e.tagName}.${e.className}`).slice(0, 8)"
    )
    return found or ["something without a box"]


def faint_texts(page: Page) -> list[str]:
    """Texts that cannot be told from their ground: below a contrast of 4.5, of 3 for large ones (WCAG 2.2, 1.4.3).

    Measured on what the browser computed.
    """
    found: list[str] = page.evaluate(_CONTRAST)
    return found


_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      if (getComputedStyle(at).backgroundImage.includes('gradient')) return null;
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return [255, 255, 255, 1];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.textContent.trim() || !node.checkVisibility() || node.closest('.sr, :disabled, svg')) continue;
    const style = getComputedStyle(node);
    const back = ground(node);
    if (!back) continue;
    const [a, b] = [light(rgb(style.color)), light(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    const what = `${node.tagName}.${node.className} ${text.textContent.trim().slice(0, 30)}`;
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${what}`);
  }
  return found;
}"""
