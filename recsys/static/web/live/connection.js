// The page's one connection to its streams. Modules say which events they apply, and what they want to hear.

import { connect } from "../../realtime/client.js";

export const UNKNOWN = "unknown"; // no position: answered by a resync

const appliers = new Map(); // type of event → functions
const listeners = new Set(); // of states
let live = null;

// Let `apply(event)` be called with each event of this type, whichever subscription it comes by.
export function on(type, apply) {
  appliers.set(type, [...(appliers.get(type) ?? []), apply]);
}

// Let `hear(state)` be called with each state of the connection: connecting, live, reconnecting, stale, closed.
export function onState(hear) {
  listeners.add(hear);
}

// Ask for a kind of stream; returns a function that ends it. `onResync`: what was missed cannot be had, load it anew.
export function subscribe({ kind, arg = "", position = UNKNOWN, onResync = () => {}, onError = () => {} }) {
  const user = document.querySelector("[data-user]")?.dataset.user;
  live ??= connect({
    share: user ? `user-${user}` : "visitor",
    onState: (state) => listeners.forEach((hear) => hear(state)),
  });
  const what = { kind, arg, position: position || UNKNOWN, onEvents: applyAll, onResync, onError };
  const subscription = live.subscribe(what);
  return () => subscription.unsubscribe();
}

// Say something that nobody keeps to those who hear a kind of stream; without a connection it is not said.
export function signal({ kind, arg, name }) {
  live?.signal({ kind, arg, name });
}

function applyAll(events) {
  for (const event of events) for (const apply of appliers.get(event.type) ?? []) apply(event);
}
