// A page that follows what a test tells it to, and keeps what it is told: `seen` for the callbacks, `dispatched` for the
// events of `target`.

import { connect } from "/static/realtime/client.js";

window.seen = { states: [], events: {}, resyncs: [], errors: [], refused: [], thrown: [] };
window.dispatched = [];
window.subscriptions = {};

window.addEventListener("error", (event) => {
  seen.thrown.push(event.message);
  event.preventDefault();
});

window.follow = (kind, { arg = "", position = "", failing = false } = {}) => {
  const name = kind + arg;
  seen.events[name] ??= [];
  subscriptions[name] = live.subscribe({
    kind,
    arg,
    position,
    onEvents: (events) => {
      seen.events[name].push(...events);
      if (failing) throw new Error(`cannot take ${events}`);
    },
    onResync: () => seen.resyncs.push(name),
    onError: (error) => seen.refused.push([name, error.code]),
  });
};

window.start = (options = {}, ...kinds) => {
  window.live = connect({
    onState: (state) => seen.states.push(state),
    onError: ({ code }) => seen.errors.push(code),
    ...options,
  });
  for (const name of ["state", "events", "resync", "error"]) {
    live.target.addEventListener(`realtime:${name}`, ({ detail }) => dispatched.push([name, detail]));
  }
  for (const kind of kinds) follow(kind);
};

window.connect = connect;
window.ready = true;
