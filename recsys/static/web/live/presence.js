// Who is online of those whom the reader follows: faces in a card, and a dot at the avatar on a person's page.

import { on } from "./connection.js";
import { watch } from "./elements.js";

const SOON = 1000; // milliseconds; what happens meanwhile is loaded together
const SPREAD = 4000; // somebody whom many follow is loaded by them one after the other
const AGAIN = 30_000;

const card = () => document.querySelector("#online");
const waiting = new Set(); // elements that are about to be loaded anew
let online = new Set(); // ids, as texts, of those whom the card counts

function readCard() {
  online = new Set(card()?.dataset.online.split(" ").filter(Boolean));
}

function reloadSoon(element, delay = SOON) {
  if (waiting.has(element)) return;
  waiting.add(element);
  setTimeout(() => reload(element), delay + Math.random() * SPREAD);
}

// Until it has come, for a resync says no more than once that it must. A page that nobody looks at can wait.
function reload(element) {
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => reload(element), { once: true });
    return;
  }
  waiting.delete(element);
  if (!element.isConnected) return;
  reloadSoon(element, AGAIN);
  element.dispatchEvent(new CustomEvent("presence:reload"));
}

// Whose face is not on the page is counted until it has been loaded.
function showCard(user) {
  const faces = card().querySelectorAll("[data-person]");
  for (const face of faces) if (face.dataset.person === user && !online.has(user)) face.remove();
  const shown = card().querySelectorAll("[data-person]").length;
  const more = online.size - shown;
  const words = shown ? `and ${more} more` : `${more} of those you follow`;
  card().querySelector("[data-online-words]").textContent = more ? words : shown ? "" : "Nobody you follow";
  if (shown < Math.min(online.size, Number(card().dataset.most))) reloadSoon(card());
}

on("presence", (event) => {
  const user = String(event.user);
  for (const dot of document.querySelectorAll(`[data-presence="${CSS.escape(user)}"]`)) dot.hidden = !event.online;
  if (!card()) return;
  if (event.online) online.add(user);
  else online.delete(user);
  card().dataset.online = [...online].join(" "); // read again when something else is swapped
  showCard(user);
});
document.addEventListener("htmx:after:swap", readCard);
readCard();
watch("presence", { onResync: reloadSoon, onError: (element) => element.remove() });
