// Dashboards of what trends. An event has the whole ranking as a visitor sees it; rows move in place. A reader for whom
// that is not the ranking as it stands (they hid one of the items, or a new one is somebody's whom they may not meet)
// loads their own instead: not at every event, and not all at the same moment.

import { on } from "./connection.js";
import { watch } from "./elements.js";
import { swapInPlace } from "./motion.js";

const SPREAD = 2000; // milliseconds within which readers load a ranking anew
const LOAD_AGAIN = 10_000;

const isReader = Boolean(document.body.dataset.user);
const hidden = new Set(); // items that the reader hid since the page came
const waiting = new WeakMap(); // board → the newest event, while somebody points at the board
const loaded = new Map(); // part of the page → when its ranking was last loaded
const loading = new Set(); // parts of the page whose ranking is about to be

const rows = (board) => [...board.querySelectorAll("ol > [data-item]")];
const row = (board, item) => board.querySelector(`ol > [data-item="${item}"]`);

on("trending", (event) => {
  for (const board of document.querySelectorAll('[data-live="trending"]')) {
    if (board.dataset.arg === event.region) arrive(board, event);
  }
});

// Rows must not move away from under a pointer, or from under the keyboard's focus.
function arrive(board, event) {
  const list = board.querySelector("ol");
  const isHeld = list.matches(":hover") || list.querySelector(":focus-visible");
  if (!isHeld) return apply(board, event);
  const isWaiting = waiting.has(board);
  waiting.set(board, event);
  if (isWaiting) return;
  for (const moment of ["mouseleave", "focusout"]) list.addEventListener(moment, () => release(board), { once: true });
}

function release(board) {
  setTimeout(() => {
    const event = waiting.get(board);
    waiting.delete(board);
    if (event && board.isConnected) arrive(board, event);
  });
}

function apply(board, event) {
  const items = new Map(event.items.map((item) => [item.id, item]));
  const ranking = event[board.dataset.part].map((id) => items.get(id));
  if (!isTheirs(board, ranking)) return loadSoon(board);
  const order = rows(board).map((one) => Number(one.dataset.item));
  const isMoved = order.join() !== ranking.map((item) => item.id).join();
  const change = () => show(board, ranking);
  if (isMoved) swapInPlace(() => rows(board), (one) => `trend-${board.dataset.part}-${one.dataset.item}`, change);
  else change();
}

function isTheirs(board, ranking) {
  if (!isReader) return true;
  if ("own" in board.dataset) return false;
  const known = new Set((board.dataset.hidden ?? "").split(",").map(Number));
  return ranking.every(({ id, is_made: isMade }) => {
    if (known.has(id) || hidden.has(id)) return false;
    return !isMade || row(board, id);
  });
}

// Until it has come, in the place of this one: the change that it is for may have been the last.
function loadSoon(board) {
  const { part } = board.dataset;
  if (loading.has(part)) return;
  loading.add(part);
  const wait = Math.max(0, (loaded.get(part) ?? -Infinity) + LOAD_AGAIN - performance.now());
  setTimeout(() => {
    loading.delete(part);
    loaded.set(part, performance.now());
    for (const one of document.querySelectorAll(`[data-live="trending"][data-part="${part}"]`)) {
      one.dispatchEvent(new CustomEvent("trending:reload"));
      setTimeout(() => one.isConnected && loadSoon(one), LOAD_AGAIN);
    }
  }, wait + Math.random() * SPREAD);
}

function show(board, ranking) {
  const list = board.querySelector("ol");
  const focused = document.activeElement;
  const ids = new Set(ranking.map((item) => item.id));
  for (const one of rows(board)) if (!ids.has(Number(one.dataset.item))) one.remove();
  ranking.forEach((item, place) => {
    const one = row(board, item.id) ?? make(board, item);
    fill(one, item);
    if (list.children[place] !== one) list.insertBefore(one, list.children[place] ?? null);
  });
  if (list.contains(focused)) focused.focus({ preventScroll: true }); // moving a row takes the focus from what is in it
}

function make(board, item) {
  const one = board.querySelector("template").content.firstElementChild.cloneNode(true);
  one.dataset.item = item.id;
  one.classList.add("is-new");
  one.querySelector(".pick-title").href = item.url;
  const form = one.querySelector("form");
  if (form) {
    form.elements.item.value = item.id;
    form.elements.recommendation_id?.remove(); // it is in no slate
    for (const label of form.querySelectorAll(".visually-hidden")) label.textContent += item.title;
  }
  return one;
}

function fill(one, item) {
  const capital = item.kind.charAt(0).toUpperCase() + item.kind.slice(1);
  const texts = { kind: item.kind, reason: item.reason, note: item.trends ? capital : item.reason };
  one.querySelector(".pick-title").textContent = item.title;
  for (const [name, text] of Object.entries(texts)) {
    const shown = one.querySelector(`[data-shows="${name}"]`);
    if (shown) shown.textContent = text;
  }
  const dot = one.querySelector(".dot");
  if (dot) dot.className = `dot hue-${item.tint}`;
  const total = one.querySelector('[data-shows="taken_up"]');
  if (!total) return;
  total.hidden = !item.taken_up;
  total.querySelector(".count").textContent = item.taken_up.toLocaleString("en");
}

// What was taken from the reader meanwhile is not known: their own ranking is without it.
document.addEventListener("recommendations:missed", () => {
  document.querySelectorAll('[data-live="trending"]').forEach(loadSoon);
});
document.addEventListener("events:hidden", ({ detail }) => hidden.add(detail.item));
on("recommendations.retracted", ({ items }) => {
  if (isReader) for (const item of items) hidden.add(item);
});

watch("trending", { onResync: loadSoon });
