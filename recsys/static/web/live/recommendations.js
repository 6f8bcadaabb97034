// What is recommended to the reader: says that there is something new, and takes away what is for them no more. Lists
// change under nobody's eyes: the pill loads them anew.

import { on } from "./connection.js";
import { watch } from "./elements.js";

const SPREAD = 5000; // milliseconds within which readers load their lists anew
const AGAIN = 10_000;

const lists = () => [...document.querySelectorAll('[data-live="recommendations"][data-part]')];

function showNews(list, count) {
  const pill = list.querySelector("[data-news]");
  pill.dataset.news = count;
  pill.hidden = count === 0;
  pill.textContent = count ? `${count} new for you` : "";
}

on("recommendations.new", (event) => {
  for (const list of lists()) {
    showNews(list, event[list.dataset.part].filter((item) => !list.querySelector(`[data-item="${item}"]`)).length);
  }
});

on("recommendations.retracted", ({ items }) => {
  for (const list of lists()) {
    const gone = items.filter((item) => list.querySelector(`[data-item="${item}"]:not(.leaving)`)).length;
    if (gone) showNews(list, Number(list.querySelector("[data-news]").dataset.news) + gone); // others take their places
  }
  for (const item of items) document.dispatchEvent(new CustomEvent("item:gone", { detail: { item } }));
});

// Until it has come, in the place of this one: what was missed does not come by any other way.
function loadSoon(list, delay = 0) {
  setTimeout(() => {
    if (!list.isConnected) return;
    list.dispatchEvent(new CustomEvent("recommendations:reload"));
    loadSoon(list, AGAIN);
  }, delay + Math.random() * SPREAD);
}

// Where there is no list, something else on the page wants to know.
function missed(marker) {
  if ("part" in marker.dataset) loadSoon(marker);
  else document.dispatchEvent(new CustomEvent("recommendations:missed"));
}

watch("recommendations", { onResync: missed });
