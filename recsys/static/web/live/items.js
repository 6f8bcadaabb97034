// Counters of what is shown here: posts and items. An event has all that is counted of one item.

import { on } from "./connection.js";
import { watch } from "./elements.js";

const SPREAD = 2000; // milliseconds within which pages ask anew
const ASK_AGAIN = 5000; // and up to twice as long after an answer that did not come
const MOST = 8; // subscriptions of this kind: of a very long page, what came first is not kept true any more

function show(item, counts) {
  for (const part of document.querySelectorAll(`[data-counted="${item}"] [data-count]`)) {
    const count = counts[part.dataset.count];
    if (count === undefined) continue;
    const number = count.toLocaleString("en");
    const { one, many } = part.dataset;
    if (many) {
      part.hidden = !count;
      part.textContent = `${number} ${count === 1 ? one : many}`;
    } else part.textContent = count ? number : "";
  }
}

on("item.counts", ({ item, counts }) => show(item, counts));

// What was missed cannot be had, or none of these may be followed any more: ask for the counters, and take away the posts
// that are gone meanwhile.
function askSoon(marker, wait = Math.random() * SPREAD) {
  setTimeout(() => marker.isConnected && ask(marker).catch(() => askSoon(marker, ASK_AGAIN * (1 + Math.random()))), wait);
}

async function ask(marker) {
  const items = marker.dataset.arg;
  const response = await fetch(`${document.body.dataset.itemCounts}?items=${items}`, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`counters: ${response.status}`);
  const { counts } = await response.json();
  for (const item of items.split(",").map(Number)) {
    if (counts[item]) show(item, counts[item]);
    else document.dispatchEvent(new CustomEvent("post:deleted", { detail: { post: item } }));
  }
}

watch("items", { onResync: (marker) => askSoon(marker), onError: (marker) => askSoon(marker), most: MOST });
