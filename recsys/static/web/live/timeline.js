// The reader's timeline: counts new posts into a pill, takes deleted ones away, lets edited ones come anew, and loads
// what cannot be caught up on.

import { on, subscribe, UNKNOWN } from "./connection.js";

const RELOAD_AGAIN = 5000; // milliseconds, up to twice as long
const MOST_GONE = 1000;

const body = document.body;
const pill = document.querySelector("#new-posts");
const badge = document.querySelector("#home-badge");
const timeline = () => document.querySelector("#timeline");

const waiting = new Set(); // posts that are not on the page yet
const gone = new Set(); // posts that were deleted: word of them as new may come after that, merged with others
let further = 0; // new posts that were not named one by one
let reloading = 0;

const shown = (post) => document.querySelector(`[data-post="${CSS.escape(String(post))}"]`);

// What shows a post: its own entry, and those of its reposts.
function showing(post) {
  const number = CSS.escape(String(post));
  return document.querySelectorAll(`[data-post="${number}"], [data-shown="${number}"]`);
}

function showWaiting() {
  const count = waiting.size + further;
  const number = count > 99 ? "99+" : String(count);
  const words = `${number} new post${count === 1 ? "" : "s"}`;
  if (pill) {
    pill.hidden = count === 0;
    pill.textContent = count ? words : "";
  }
  if (badge && !pill) {
    badge.hidden = count === 0;
    badge.textContent = number;
    badge.setAttribute("aria-label", words);
  }
  document.title = document.title.replace(/^\(\d+\+?\) /, "");
  if (count) document.title = `(${number}) ${document.title}`;
}

function comes(post) {
  if (!shown(post) && !gone.has(post)) waiting.add(post);
}

on("post.new", (event) => {
  comes(event.post);
  showWaiting();
});
// Many at once: all are counted, the newest are named.
on("posts.new", (event) => {
  event.posts.forEach(comes);
  further += event.count - event.posts.length;
  showWaiting();
});
on("post.deleted", ({ post }) => {
  gone.add(post);
  if (gone.size > MOST_GONE) gone.delete(gone.values().next().value);
  waiting.delete(post);
  showWaiting();
  document.dispatchEvent(new CustomEvent("post:deleted", { detail: { post } }));
});
on("post.edited", ({ post, version }) => {
  for (const entry of showing(post)) {
    if (entry.dataset.version !== version) entry.dispatchEvent(new CustomEvent("post:edited"));
  }
});

// Until it has come: what was missed does not come by any other way. Loading it is a visit, after which nothing is new
// any more, so a page that nobody looks at waits.
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

function forgetWaiting() {
  waiting.clear();
  further = 0;
  showWaiting();
}

document.addEventListener("htmx:after:swap", () => {
  for (const post of waiting) if (shown(post)) waiting.delete(post);
  showWaiting();
});
pill?.addEventListener("click", forgetWaiting);

if (body.dataset.user) {
  const first = timeline();
  subscribe({
    kind: "timeline",
    // A page without a position, or rendered while there was none to be had, may lack what came between: it asks.
    position: first?.dataset.firstPage === "true" ? first.dataset.position : UNKNOWN,
    onResync() {
      reload();
      document.dispatchEvent(new CustomEvent("notifications:ask"));
    },
  });
}
