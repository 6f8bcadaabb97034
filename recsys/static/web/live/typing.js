// "Ana is typing a reply": told to others while the reader writes one, and shown of others for as long as it holds.

import { on, signal } from "./connection.js";
import { watch } from "./elements.js";

const KIND = "conversation";
const TELL_EVERY = 3000; // milliseconds
const SAY_EVERY = 20_000; // to assistive technology, however much comes and goes

const line = document.querySelector("#typing");
const typists = new Map(); // user → { name, timer }
let told = 0; // when it was last told that the reader writes; 0: they do not
let said = -SAY_EVERY;
// The difference of the clocks and the quickest way so far from the server to here, together. What waited (on a
// connection that was lost, say) is that much older.
let behind = Date.now() - Number(line?.dataset.now);

function timeLeft({ at, holds }) {
  const now = Date.now();
  behind = Math.min(behind, now - at);
  return at + behind + holds - now;
}

function forget(user) {
  clearTimeout(typists.get(user)?.timer);
  typists.delete(user);
}

function words() {
  const names = [...typists.values()].map(({ name }) => name);
  if (names.length > 2) return `${names.length} people are typing`;
  return names.length ? `${names.join(" and ")} ${names.length > 1 ? "are typing" : "is typing a reply"}` : "";
}

function show() {
  const [shown, status] = line.children;
  const now = performance.now();
  shown.textContent = words();
  if (!typists.size) status.textContent = "";
  else if (!status.textContent && now - said > SAY_EVERY) {
    said = now;
    status.textContent = shown.textContent;
  }
}

function tell(name) {
  signal({ kind: KIND, arg: line.dataset.arg, name });
}

function stopped() {
  if (told) tell("stopped");
  told = 0;
}

// A reply that is not for everybody is nobody's business.
function writes(form) {
  const { text, visibility } = form.elements;
  const isOne = text.value.trim() && visibility.value === "public";
  if (!isOne) stopped();
  else if (performance.now() - told > TELL_EVERY || !told) {
    told = performance.now();
    tell("typing");
  }
}

if (line) {
  watch(KIND, { onResync() {} });
  on("typing", ({ user, name, at, holds }) => {
    const left = timeLeft({ at, holds });
    forget(user);
    if (left > 0) typists.set(user, { name, timer: setTimeout(() => (forget(user), show()), left) });
    show();
  });
}
if (line && "tells" in line.dataset) {
  document.addEventListener("input", ({ target }) => target.form?.id === "composer" && writes(target.form));
  document.addEventListener("submit", ({ target }) => target.id === "composer" && stopped());
}
