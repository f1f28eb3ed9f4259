// What every page has: copy buttons, likes without a reload, the theme, menus that close. Nothing here is needed to read.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copy(button.dataset.copy);
    button.classList.add("done");
    const label = button.getAttribute("aria-label");
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => {
      button.classList.remove("done");
      button.setAttribute("aria-label", label);
    }, 1500);
  });
}

export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // a hub on plain http has no clipboard interface
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

for (const form of document.querySelectorAll("[data-like]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/json" },
    });
    if (answer.status === 401) {
      location.href = `/login?next=${encodeURIComponent(location.pathname)}`;
    } else if (answer.ok) {
      const { likes, liked } = await answer.json();
      form.querySelector("[data-count]").textContent = likes;
      form.querySelector("button").setAttribute("aria-pressed", String(liked));
      form.elements.on.value = liked ? "no" : "yes";
    }
  });
}

for (const button of document.querySelectorAll("[data-theme-button]")) {
  button.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    const body = new URLSearchParams(new FormData(button.form));
    body.set("theme", root.dataset.theme);
    fetch(button.form.action, { method: "POST", body, redirect: "manual" });
  });
}

const menus = document.querySelectorAll("details.menu, details.switch");
addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus) {
    if (menu.open && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }
});

// a tab in a source field is a tab, until Escape gives the key back to the page
for (const area of document.querySelectorAll("[data-source]")) {
  let typing = true;
  area.addEventListener("focus", () => (typing = true));
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") typing = false;
    if (event.key === "Tab" && typing && !event.shiftKey) {
      event.preventDefault();
      area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
    }
  });
}
