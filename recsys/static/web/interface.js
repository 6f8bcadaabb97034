// What is left for scripts in the interface itself: the confirmation dialog, counters, toasts, cards that leave.

const toasts = document.querySelector("#toasts");
const TOAST_TIME = 6000;

function toast(text, isError = false) {
  if (!toasts) return;
  const note = document.createElement("p");
  note.className = isError ? "toast error" : "toast";
  note.textContent = text;
  toasts.append(note);
  while (toasts.children.length > 3) toasts.firstElementChild.remove();
  setTimeout(() => note.remove(), TOAST_TIME);
}

function leave(element) {
  if (!element) return;
  element.classList.add("leaving");
  setTimeout(() => element.remove(), 200);
}

function takeAway(post) {
  leave(post.closest(".posts > li") ?? post);
}

// Our own dialog instead of the browser's. Its answer decides whether htmx goes on.
document.addEventListener("htmx:confirm", (event) => {
  const dialog = document.querySelector("#confirm");
  if (!dialog?.showModal) return;
  event.preventDefault();
  dialog.querySelector("#confirm-text").textContent = event.detail.ctx.confirm;
  dialog.returnValue = "no";
  dialog.addEventListener(
    "close",
    () => (dialog.returnValue === "yes" ? event.detail.issueRequest() : event.detail.dropRequest()),
    { once: true },
  );
  dialog.showModal();
});

// An answer that is not shown in its place is said here, with what to do.
document.addEventListener("htmx:response:error", (event) => {
  const { status } = event.detail.ctx.response;
  // A post that changed while it was on the page, and is not for the reader any more.
  if (status === 404 && event.detail.ctx.sourceEvent?.type === "post:edited") return takeAway(event.target);
  if (status === 422 || status === 401) return;
  const advice = {
    403: "That was refused. You may have logged out in another tab: reload the page.",
    404: "That is gone. Somebody may have deleted it.",
    429: "A little too fast. Wait a moment and try again.",
  };
  toast(advice[status] ?? "The server could not do that. Try again in a moment.", true);
});
document.addEventListener("htmx:error", () => toast("No connection. Nothing was changed; try again in a moment.", true));
document.addEventListener("events:refused", () => toast("That could not be recorded. Reload the page and try again.", true));

// Counters beside fields with a limit.
function count(field) {
  const counter = document.querySelector(`[data-counter-for="${field.id}"]`);
  const limit = Number(field.dataset.limit);
  if (!counter || !limit) return;
  const left = limit - [...field.value].length;
  counter.textContent = left <= limit / 5 ? String(left) : "";
  counter.classList.toggle("over", left < 0);
}
document.addEventListener("input", (event) => event.target.dataset?.limit && count(event.target));

// Ctrl+Enter or Cmd+Enter sends the composer.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.target.closest?.("#composer")?.requestSubmit();
});

// A menu closes where one goes on elsewhere, and with Escape.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target.closest?.("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  closeMenus();
  menu?.querySelector("summary").focus();
});

document.addEventListener("events:hidden", (event) => {
  document.dispatchEvent(new CustomEvent("item:gone", { detail: event.detail }));
  toast("You will not see that again.");
});
document.addEventListener("item:gone", ({ detail }) => {
  document.querySelectorAll(`[data-item="${detail.item}"]`).forEach(leave);
});
document.addEventListener("post:deleted", (event) => {
  const number = CSS.escape(String(event.detail.post));
  document.querySelectorAll(`[data-post="${number}"], [data-shown="${number}"]`).forEach(takeAway);
});

// Coming back with the Back button shows a page from before the last clicks: ask for the recommendations anew.
addEventListener("pageshow", (event) => {
  const [entry] = performance.getEntriesByType("navigation");
  if (event.persisted || entry?.type === "back_forward") {
    document.body.dispatchEvent(new CustomEvent("tastes:changed"));
    document.body.dispatchEvent(new CustomEvent("timeline:reload"));
  }
});
