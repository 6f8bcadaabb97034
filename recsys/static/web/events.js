// Sends what the reader does: views, clicks and opinions. Every event has an id of its own and is kept until the server has
// answered, across pages and bad connections; sending one twice is harmless, because the server counts an id once.

const body = document.body;
const KEY = `events:${body.dataset.user}`;
const MOST_KEPT = 100;
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

let pause = FIRST_PAUSE;
let sending = null;
let fallback = []; // where storage is forbidden

function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? [];
  } catch {
    return fallback;
  }
}

function store(events) {
  fallback = events.slice(-MOST_KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(fallback));
  } catch {
    // kept for this page only
  }
}

function csrfToken() {
  return document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/)?.[1] ?? document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
}

// True: the server has it, or never will take it. False: try again later.
async function send(event) {
  const response = await fetch(body.dataset.events, {
    method: "POST",
    keepalive: true, // so that leaving the page does not cancel it
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken() },
    body: JSON.stringify(event),
  });
  if (response.status === 429 || response.status >= 500) return false;
  if (!response.ok) {
    document.dispatchEvent(new CustomEvent("events:refused", { detail: { event, status: response.status } }));
  }
  return true;
}

async function drain() {
  for (let events = load(); events.length; events = load()) {
    const [event] = events;
    let settled = false;
    try {
      settled = await send(event);
    } catch {
      settled = false; // no connection
    }
    if (!settled) {
      setTimeout(flush, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      return;
    }
    pause = FIRST_PAUSE;
    store(load().filter((kept) => kept.event_id !== event.event_id));
    document.dispatchEvent(new CustomEvent("events:recorded", { detail: event }));
    if (event.kind !== "view") body.dispatchEvent(new CustomEvent("tastes:changed"));
  }
}

function flush() {
  sending ??= drain().finally(() => (sending = null));
  return sending;
}

function record(event) {
  const complete = { event_id: crypto.randomUUID?.() ?? fallbackId(), ...event };
  store([...load(), complete]);
  return flush().then(() => load().length && flush());
}

// crypto.randomUUID exists in secure contexts only, and a site may be tried over plain HTTP in a local network.
function fallbackId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Arriving on an item's page is a view; arriving from a recommendation is a click on it too. A page that is only
// prerendered or sits in a background tab has not been viewed yet.
function recordArrival() {
  const viewed = document.querySelector("[data-viewed-item]");
  if (!viewed) return;
  const item = Number(viewed.dataset.viewedItem);
  const recommendation = viewed.dataset.recommendation;
  if (recommendation) {
    record({ item, kind: "click", recommendation_id: recommendation });
    const address = new URL(location.href);
    address.searchParams.delete("r"); // reloading or sharing this page is no second click
    history.replaceState(history.state, "", address);
  }
  record({ item, kind: "view", ...(recommendation && { recommendation_id: recommendation }) });
}

function whenVisible(action) {
  if (document.visibilityState === "visible" && !document.prerendering) return action();
  const check = () => {
    if (document.visibilityState !== "visible") return;
    document.removeEventListener("visibilitychange", check);
    action();
  };
  document.addEventListener("visibilitychange", check);
}

function press(form, kind) {
  for (const button of form.querySelectorAll("button[aria-pressed]")) {
    button.setAttribute("aria-pressed", String(button.value === kind));
  }
}

function onSubmit(submission) {
  const form = submission.target.closest("[data-event-form]");
  if (!form) return;
  submission.preventDefault();
  const data = new FormData(form, submission.submitter);
  const event = { item: Number(data.get("item")), kind: data.get("kind") };
  if (data.get("recommendation_id")) event.recommendation_id = data.get("recommendation_id");
  if (event.kind === "rate") event.value = Number(data.get("value"));
  record(event);
  if (event.kind === "rate") {
    form.querySelector("#rating-shown").textContent = `You gave ${event.value} of 5`;
  } else {
    press(form, event.kind);
  }
  if (event.kind === "hide") document.dispatchEvent(new CustomEvent("events:hidden", { detail: { item: event.item } }));
}

document.addEventListener("submit", onSubmit);
document.addEventListener("change", (change) => {
  change.target.closest("[data-submit-on-change]")?.requestSubmit();
});
addEventListener("online", flush);
whenVisible(recordArrival);
flush();
