// One WebSocket for the subscriptions of a page.

const FIRST_DELAY = 500; // milliseconds
const LONGEST_DELAY = 30_000;
const PING_EVERY = 25_000;
const ANSWER_WITHIN = 10_000;
const FOR_GOOD = new Set([4400, 4401, 4403, 4404]);

export function connect({ url, onState }) {
  const address = new URL(`${url}ws`, location.href.replace(/^http/, "ws"));
  const known = new Map();
  let next = 1;
  let socket = null;
  let attempts = 0;
  let heartbeat = 0;
  let deadline = 0;
  let retry = 0;
  let closed = false;
  const standing = new Set();

  function send(message) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }
  function ask(id, { kind, arg, position }) {
    send({ type: "subscribe", id, kind, arg, position });
  }
  function expectAnswer() {
    clearTimeout(deadline);
    deadline = setTimeout(drop, ANSWER_WITHIN);
  }
  function open() {
    clearTimeout(retry);
    if (closed || socket) return;
    onState(attempts ? "reconnecting" : "connecting");
    standing.clear();
    socket = new WebSocket(address);
    socket.onopen = () => {
      for (const [id, subscription] of known) ask(id, subscription);
      heartbeat = setInterval(() => {
        send({ type: "ping" });
        expectAnswer();
      }, PING_EVERY);
    };
    socket.onmessage = (message) => take(JSON.parse(message.data));
    socket.onclose = (event) => lost(event.code);
    expectAnswer();
  }
  function take(message) {
    clearTimeout(deadline);
    const subscription = known.get(message.id);
    if (!subscription) return;
    if (message.position) subscription.position = message.position;
    if (message.type === "subscribed") {
      attempts = 0;
      standing.add(message.id);
    } else if (message.type === "events") subscription.onEvents(message.events);
    else if (message.type === "resync") subscription.onResync();
    else if (message.type === "error") {
      known.delete(message.id);
      subscription.onError(message);
    }
    if (standing.size >= known.size) onState("live");
  }
  function drop() {
    if (!socket) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.close();
    lost(0);
  }
  function lost(code) {
    clearInterval(heartbeat);
    clearTimeout(deadline);
    socket = null;
    closed ||= FOR_GOOD.has(code);
    if (closed) {
      onState("closed");
      return;
    }
    onState("reconnecting");
    retry = setTimeout(open, Math.random() * Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts));
    attempts += 1;
  }
  function hurry() {
    if (socket) {
      send({ type: "ping" });
      expectAnswer();
    } else {
      attempts = 0;
      open();
    }
  }
  window.addEventListener("online", hurry);
  window.addEventListener("offline", drop);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && !closed && hurry());
  queueMicrotask(open);

  return {
    subscribe(subscription) {
      const id = String(next++);
      known.set(id, subscription);
      ask(id, subscription);
      return () => {
        known.delete(id);
        standing.delete(id);
        send({ type: "unsubscribe", id });
      };
    },
    signal({ kind, arg, name }) {
      send({ type: "signal", kind, arg, name });
    },
  };
}
