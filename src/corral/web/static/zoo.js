// While something is being added, the cards are fetched anew every two seconds; without a script the page reloads.

const cards = document.querySelector("[data-zoo]");

async function refresh() {
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) {
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-zoo]");
    const before = [...cards.children];
    // only what changed is replaced, so that nobody's focus is lost
    [...fresh.children].forEach((card, index) => {
      if (before[index]?.outerHTML !== card.outerHTML) before[index]?.replaceWith(card);
    });
    cards.toggleAttribute("data-works", fresh.hasAttribute("data-works"));
  }
  if (cards.hasAttribute("data-works")) setTimeout(refresh, 2000);
}

if (cards?.hasAttribute("data-works")) setTimeout(refresh, 1000);
