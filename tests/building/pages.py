"""What a person does on the hub's pages."""

from __future__ import annotations

from playwright.sync_api import Page


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
