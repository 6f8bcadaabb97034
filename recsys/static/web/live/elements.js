// Parts of the page that say themselves what they want to hear: `data-live` names the kind, `data-arg` of which one, and
// `data-position` is from before their data was read. Those that go, as htmx swaps parts of the page, are heard no more.

import { subscribe } from "./connection.js";

const kinds = new Map(); // kind → { onResync, most }
const heard = new Map(); // element → what ends its subscription
const dropped = new WeakSet(); // elements that were one too many

// Hear for all elements of a kind, now and as they come. `onResync(element)` loads its data anew, `onError(element)` says
// that it is not heard, or no more. Of more than `most` elements, those that came first are heard no more.
export function watch(kind, { onResync, onError = () => {}, most = 10 }) {
  kinds.set(kind, { onResync, onError, most });
  look();
}

function look() {
  for (const element of heard.keys()) if (!element.isConnected) leave(element);
  for (const element of document.querySelectorAll("[data-live]")) {
    const kind = kinds.get(element.dataset.live);
    if (!kind || heard.has(element) || dropped.has(element)) continue;
    const { live, arg, position } = element.dataset;
    const answers = { onResync: () => kind.onResync(element), onError: () => kind.onError(element) };
    heard.set(element, subscribe({ kind: live, arg, position, ...answers }));
    const others = [...heard.keys()].filter((other) => other.dataset.live === live);
    for (const one of others.slice(0, -kind.most)) {
      dropped.add(one);
      leave(one);
    }
  }
}

function leave(element) {
  heard.get(element)();
  heard.delete(element);
}

document.addEventListener("htmx:after:swap", look);
