// A client of Tributary's realtime streams: one module, no dependencies.
//
//   const live = connect({
//     url: "wss://example.org/realtime/ws",
//     subscriptions: [{ kind: "timeline", arg: "", position: "…" }],   // position: the token that came with the data
//     onEvent: (subscription, event) => …,      // none is missed; one may come twice, after a worker was killed, say
//     onResync: (subscription) => …,            // the gap is too large: load the data anew
//     onState: (state) => …,                    // "connecting", "open" (all subscriptions stand), "closed" (for good)
//   });
//   live.close();
//
// The same is dispatched on `document` as realtime:event, realtime:resync and realtime:state. The client keeps the position
// of each subscription and resumes from it, so what happens while it is away is caught up on, or it says resync.

const FIRST_DELAY = 500; // milliseconds
const LONGEST_DELAY = 30_000;
const PING_EVERY = 25_000;
const ANSWER_WITHIN = 10_000;
const FOR_GOOD = new Set([4400, 4401, 4403, 4404]); // close codes after which coming back would not help

export function connect({ url, subscriptions, onEvent, onState, onResync }) {
  const known = new Map(subscriptions.map((subscription, index) => [String(index + 1), { ...subscription }]));
  let socket = null;
  let attempts = 0;
  let retry = 0;
  let heartbeat = 0;
  let deadline = 0;
  let closed = false;
  let standing = new Set();

  function announce(name, detail) {
    document.dispatchEvent(new CustomEvent(`realtime:${name}`, { detail }));
  }

  function state(name) {
    onState?.(name);
    announce("state", { state: name });
  }

  function open() {
    clearTimeout(retry);
    if (closed || socket) return;
    state("connecting");
    standing = new Set();
    socket = new WebSocket(url);
    socket.onopen = subscribe;
    socket.onmessage = (message) => take(JSON.parse(message.data));
    socket.onclose = (event) => lost(event.code);
    expectAnswer();
  }

  function send(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function subscribe() {
    for (const [id, { kind, arg = "", position = "" }] of known) send({ type: "subscribe", id, kind, arg, position });
    heartbeat = setInterval(() => {
      send({ type: "ping" });
      expectAnswer();
    }, PING_EVERY);
  }

  // A dead network closes nothing by itself: silence where an answer is due counts as a lost connection.
  function expectAnswer() {
    clearTimeout(deadline);
    deadline = setTimeout(() => drop(), ANSWER_WITHIN);
  }

  function drop() {
    if (!socket) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
    lost(0);
  }

  function take(message) {
    clearTimeout(deadline);
    const subscription = known.get(message.id);
    if (subscription && message.position) subscription.position = message.position;
    const detail = subscription && { kind: subscription.kind, arg: subscription.arg ?? "" };
    if (message.type === "subscribed") {
      attempts = 0;
      standing.add(message.id);
      if (standing.size === known.size) state("open");
    } else if (message.type === "events" && subscription) {
      for (const event of message.events) {
        onEvent?.(subscription, event);
        announce("event", { ...detail, event });
      }
    } else if (message.type === "resync" && subscription) {
      onResync?.(subscription);
      announce("resync", detail);
    } else if (message.type === "error") {
      announce("error", { ...detail, message: message.message });
    }
  }

  function lost(code) {
    clearInterval(heartbeat);
    clearTimeout(deadline);
    socket = null;
    if (closed || FOR_GOOD.has(code)) {
      closed = true;
      state("closed");
      return;
    }
    state("connecting");
    // Full jitter: after a restart of the server not everybody comes back at the same moment.
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts);
    attempts += 1;
    retry = setTimeout(open, Math.random() * ceiling);
  }

  function hurry() {
    if (closed) return;
    if (socket) {
      send({ type: "ping" });
      expectAnswer();
    } else {
      attempts = 0;
      open();
    }
  }

  function onVisible() {
    if (document.visibilityState === "visible") hurry();
  }

  window.addEventListener("online", hurry);
  window.addEventListener("offline", drop);
  document.addEventListener("visibilitychange", onVisible);
  open();

  return {
    close() {
      closed = true;
      clearTimeout(retry);
      window.removeEventListener("online", hurry);
      window.removeEventListener("offline", drop);
      document.removeEventListener("visibilitychange", onVisible);
      socket?.close(1000);
    },
  };
}
