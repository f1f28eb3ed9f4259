"""Reading: by keyboard, on a phone, in the dark, without JavaScript; and what hostile uploads come to."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from building.hub import PASSWORD, Hub, Person
from building.pages import faint_texts, overflow, sign_in

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]
PHONE = {"width": 390, "height": 844}

CARD = """---
license: "<script>window.hacked = 0</script>"
tags: ["<img src=x onerror=window.hacked=1>", "javascript:window.hacked=2"]
---
# Hostile <img src=x onerror="window.hacked=3">

<script>window.hacked = 4</script><svg onload="window.hacked=5"><script>window.hacked = 6</script></svg>
[x](javascript:window.hacked=7) <a href="java&#9;script:window.hacked=8">y</a>
<iframe srcdoc="<script>parent.hacked = 9</script>"></iframe><style>body { display: none }</style>
<form action="/logout" method="post"><button>z</button></form><base href="https://evil.example/">
<meta http-equiv="refresh" content="0;url=https://evil.example">
<details open ontoggle="window.hacked=11">d</details><video src=x onerror="window.hacked=12" autoplay></video>
<object data="javascript:window.hacked=13"></object> ![spy](https://evil.example/spy.png)

The end.

<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hacked=10&gt;">
"""
PAGE = "<title>before</title><script>document.title = 'ran'</script>"
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><script>document.documentElement.dataset.ran = 1'
    '</script><circle r="9"/></svg>'
)


def put(person: Person, repo: str, files: dict[str, bytes]) -> None:
    """By the plain API: the client refuses such cards before it sends them."""
    lines: list[dict[str, object]] = [{"key": "header", "value": {"summary": "Add files", "description": ""}}]
    for path, data in files.items():
        value = {"path": path, "encoding": "base64", "content": base64.b64encode(data).decode()}
        lines.append({"key": "file", "value": value})
    body = "\n".join(map(json.dumps, lines))
    headers = {"Content-Type": "application/x-ndjson"}
    person.client().post(f"/api/models/{repo}/commit/main", content=body, headers=headers).raise_for_status()


@pytest.fixture
def repo(alice: Person, new_repo: Callable[..., str]) -> str:
    """A model with a card, folders, a long line, and a history."""
    made = new_repo(alice)
    card = "---\nlicense: mit\npipeline_tag: text-generation\nlibrary_name: transformers\n---\n# A model\n\n"
    wide = "| " + " | ".join(f"column {n}" for n in range(30)) + " |\n|" + "---|" * 30 + "\n"
    text = f"{card}{wide}\n`{'x' * 200}`\n\nhttps://example.org/{'y' * 200}\n\n```\n{'z' * 300}\n```\n"
    put(
        alice,
        made,
        {"README.md": text.encode(), "code/train.py": b"x = 1  # " + b"long " * 80, f"{'n' * 120}.txt": b"1"},
    )
    return made


def test_a_card_cannot_run_anything(visit: Visit, alice: Person, new_repo: Callable[..., str]) -> None:
    repo = new_repo(alice)
    put(alice, repo, {"README.md": CARD.encode(), "page.html": PAGE.encode(), "drawing.svg": DRAWING.encode()})
    page = visit()
    dialogs: list[str] = []
    page.on("dialog", lambda d: (dialogs.append(d.message), d.dismiss()))
    sign_in(page, "alice", PASSWORD)
    for address in (f"/{repo}", f"/{repo}/blob/main/README.md", "/models?sort=created", "/alice"):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.hacked === undefined"), address
        assert page.url.endswith(address)
        expect(page.get_by_role("banner")).to_be_visible()
        for link in page.locator("main a").all():
            assert not (link.get_attribute("href") or "").lower().lstrip().startswith(("javascript", "data"))
    page.goto(f"/{repo}")
    expect(page.get_by_text("The end.")).to_be_visible()
    assert not dialogs
    assert page.locator(".prose").locator("script, style, iframe, form, svg, object, [onerror]").count() == 0

    # uploaded pages and drawings are shown, and run nothing
    page.goto(f"/{repo}/resolve/main/page.html")
    assert page.title() != "ran"
    page.goto(f"/{repo}/resolve/main/drawing.svg")
    assert page.evaluate("document.documentElement.dataset?.ran") is None
    page.goto(f"/{repo}/blob/main/drawing.svg")
    expect(page.get_by_role("img", name="drawing.svg")).to_be_visible()


def test_by_keyboard(visit: Visit, hub: Hub) -> None:
    page = visit()
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    # all that can be reached shows that it is
    page.goto("/models")
    seen = set()
    # how many there are depends on what other tests put on the hub
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            # past the last one
            break
        seen.add(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
    assert {"Models", "Datasets", "Spaces", "q", "search", "Most likes"} <= seen

    page.goto("/login")
    expect(page.get_by_label("User name or e-mail address")).to_be_focused()
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{hub.url}/")
    menu = page.get_by_label("Your menu")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="New model")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="New model")).to_be_hidden()
    expect(menu).to_be_focused()


PAGES = [
    *("/", "/models", "/datasets", "/spaces", "/tasks", "/trending", "/search?q=alice", "/alice", "/settings/profile"),
    *("/compare", "/compare?models=alice/no-such"),
    *("/settings/tokens", "/new", "/new-space", "/organizations/new", "/oauth/device", "/no/such", "REPO"),
    *("REPO/tree/main", "REPO/tree/main/code", "REPO/blob/main/code/train.py", "REPO/blob/main/README.md?code=true"),
    *("REPO/commits/main", "REPO/commit/main", "REPO/edit/main/README.md", "REPO/upload/main", "REPO/new/main"),
    *("REPO/settings", "REPO/discussions", "REPO/discussions/new", "REPO/delete/main/code"),
]


def test_nothing_sticks_out_on_a_phone(visit: Visit, repo: str) -> None:
    page = visit(viewport=PHONE, has_touch=True)
    sign_in(page, "alice", PASSWORD)
    wrong = {}
    for address in PAGES:
        answer = page.goto(address.replace("REPO", f"/{repo}"))
        assert answer is not None
        assert answer.status == (404 if address == "/no/such" else 200), address
        if found := overflow(page):
            wrong[address] = found
    assert not wrong
    page.goto(f"/{repo}")


def test_reading_and_signing_in_need_no_javascript(visit: Visit, repo: str) -> None:
    page = visit(java_script_enabled=False)
    sign_in(page, "alice", PASSWORD)
    for address in PAGES:
        page.goto(address.replace("REPO", f"/{repo}"))
        expect(page.get_by_role("main")).not_to_be_empty()
    page.goto(f"/{repo}")
    page.get_by_role("button", name="Like").click()
    expect(page.locator("[data-count]")).to_have_text("1")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/models?search=" + repo.partition("/")[2])
    expect(page.locator(".card")).to_have_count(1)


def test_light_and_dark(visit: Visit) -> None:
    dark = visit(color_scheme="dark")
    dark.goto("/")
    paper = "getComputedStyle(document.body).backgroundColor"
    night = dark.evaluate(paper)
    light = visit(color_scheme="light")
    light.goto("/")
    day = light.evaluate(paper)
    assert night != day
    with light.expect_response("**/-/theme"):
        light.get_by_role("button", name="Switch between light and dark").click()
    assert light.evaluate(paper) == night
    light.reload()
    assert light.evaluate(paper) == night


def test_every_text_can_be_told_from_its_ground(visit: Visit, repo: str) -> None:
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        sign_in(page, "alice", PASSWORD)
        for address in ("/", "/models", "/settings/tokens", "/login", "REPO", "REPO/tree/main", "REPO/commit/main"):
            page.goto(address.replace("REPO", f"/{repo}"))
            assert faint_texts(page) == [], (scheme, address)
        page.goto(f"/{repo}/blob/main/code/train.py")
        assert faint_texts(page) == [], scheme


def test_next_leads_nowhere_else(visit: Visit, hub: Hub) -> None:
    page = visit()
    page.goto("/login?next=//evil.example/")
    page.get_by_label("User name or e-mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{hub.url}/")


def test_a_device_is_let_in(visit: Visit, hub: Hub) -> None:
    asked = httpx.post(f"{hub.url}/oauth/device", data={"client_id": "a-program"}).json()
    poll = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": asked["device_code"],
        "client_id": "a-program",
    }
    page = visit()
    # who is not signed in comes back to the code after signing in
    page.goto(asked["verification_uri_complete"])
    page.get_by_label("User name or e-mail address").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(asked["user_code"])).to_be_visible()
    page.get_by_role("button", name="Yes, sign it in").click()
    expect(page.get_by_role("status")).to_contain_text("signed in")
    token = httpx.post(f"{hub.url}/oauth/token", data=poll).json()["access_token"]
    whoami = httpx.get(f"{hub.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}).json()
    assert whoami["name"] == "bob"
