// The live part of a page: counts new posts into a pill, takes deleted ones away, reloads what cannot be caught up on, and
// says how the connection is. Without it, everything is still there after a reload.

const body = document.body;
const timeline = () => document.querySelector("#timeline");
const pill = document.querySelector("#new-posts");
const badge = document.querySelector("#home-badge");
const freshNotices = document.querySelector("#new-notifications");
const unseenBadges = [...document.querySelectorAll(".unseen-badge")];
const state = document.querySelector("#connection");
const LABELS = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  stale: "Not up to date",
  closed: "Offline",
};
const GRACE = 2500; // a short gap is nobody's business
const RELOAD_AGAIN = 5000; // milliseconds, up to twice as long
const UNKNOWN = "unknown"; // no position: answered by a resync

const waiting = new Set();
let stateTimer = 0;
let reloading = 0;

function shown(id) {
  return document.querySelector(`[data-post="${CSS.escape(String(id))}"]`);
}

// What shows a post: its own entry, and those of its reposts.
function showing(id) {
  const number = CSS.escape(String(id));
  return document.querySelectorAll(`[data-post="${number}"], [data-shown="${number}"]`);
}

function showWaiting() {
  const count = waiting.size;
  const words = `${count > 99 ? "99+" : count} new post${count === 1 ? "" : "s"}`;
  if (pill) {
    pill.hidden = count === 0;
    pill.textContent = count ? words : "";
  }
  if (badge && !pill) {
    badge.hidden = count === 0;
    badge.textContent = count > 99 ? "99+" : String(count);
    badge.setAttribute("aria-label", words);
  }
  document.title = document.title.replace(/^\(\d+\+?\) /, "");
  if (count) document.title = `(${count > 99 ? "99+" : count}) ${document.title}`;
}

// Notifications that wait to be looked at. The title counts posts only.
function showUnseen(count) {
  const number = count > 99 ? "99+" : String(count);
  for (const unseen of unseenBadges) {
    unseen.hidden = count === 0;
    unseen.textContent = number;
    unseen.setAttribute("aria-label", `${number} new`);
  }
  if (freshNotices && count) freshNotices.hidden = false;
}

async function askUnseen() {
  const response = await fetch(unseenBadges[0].dataset.url, { headers: { Accept: "application/json" } });
  if (response.ok) showUnseen((await response.json()).unseen);
}

function onEvent(event) {
  if (event.type === "post.new" && !shown(event.post)) {
    waiting.add(event.post);
    showWaiting();
  } else if (event.type === "notifications") {
    showUnseen(event.unseen);
  } else if (event.type === "post.deleted") {
    waiting.delete(event.post);
    showWaiting();
    document.dispatchEvent(new CustomEvent("post:deleted", { detail: { post: event.post } }));
  } else if (event.type === "post.edited") {
    for (const entry of showing(event.post)) entry.dispatchEvent(new CustomEvent("post:edited"));
  }
}

// Until it has come: what was missed does not come by any other way. Loading it is a visit, after which nothing is new any
// more, so a page that nobody looks at waits.
function reload() {
  const stale = timeline();
  if (stale?.dataset.firstPage !== "true") return;
  clearTimeout(reloading);
  if (document.hidden) {
    document.addEventListener("visibilitychange", reload, { once: true });
    return;
  }
  reloading = setTimeout(() => stale === timeline() && reload(), RELOAD_AGAIN * (1 + Math.random()));
  body.dispatchEvent(new CustomEvent("timeline:reload"));
}

function onState(name) {
  if (!state) return;
  const known = name in LABELS ? name : "closed";
  clearTimeout(stateTimer);
  const show = () => {
    state.hidden = false;
    state.dataset.state = known;
    state.textContent = LABELS[known];
  };
  if (known === "live") show();
  else stateTimer = setTimeout(show, GRACE);
}

document.addEventListener("htmx:after:swap", () => {
  for (const id of [...waiting]) if (shown(id)) waiting.delete(id);
  showWaiting();
});
pill?.addEventListener("click", () => {
  waiting.clear();
  showWaiting();
});

freshNotices?.addEventListener("click", () => {
  freshNotices.hidden = true;
});

async function start() {
  const { connect } = await import(body.dataset.realtimeClient);
  // A page without a position, or rendered while there was none to be had, may lack what came between: it asks.
  const position = (timeline()?.dataset.firstPage === "true" && timeline().dataset.position) || UNKNOWN;
  const live = connect({ url: body.dataset.realtime, share: `user-${body.dataset.user}`, onState });
  live.subscribe({
    kind: "timeline",
    position,
    onEvents: (events) => events.forEach(onEvent),
    onResync: () => {
      reload();
      askUnseen().catch(() => {}); // the next event says it
    },
  });
}

start().catch(() => onState("closed"));
