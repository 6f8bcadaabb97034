// A client of Tributary's realtime streams: one module, no dependencies, for this site's pages and for pages of others.
//
//   import { connect } from "/static/realtime/client.js";
//
//   const live = connect({ share: "user-42", onState: (state) => … });
//   const subscription = live.subscribe({
//     kind: "timeline",
//     position: "…",                      // what came with the data
//     onEvents: (events) => …,            // none is missed; an event may be in the data already, so look before adding
//     onResync: () => …,                  // what was missed cannot be had: load the data anew
//   });
//   live.signal({ kind: "conversation", arg: "42", name: "typing" });
//
// It speaks WebSocket, server-sent events or long polls, whichever comes through; keeps the position of each subscription
// and resumes from it; and shares one connection among the tabs that name the same `share`. Wherever it is said what
// follows a message, docs/realtime.md has the protocol.
//
// From here on: alarms, the three transports, the connection (which of them, when again), the share (which tab holds the
// connection), and what the page holds.

const FIRST_DELAY = 500; // milliseconds, as all times here
const LONGEST_DELAY = 30_000;
const STEADY_AFTER = 5_000; // a subscription that stood so long makes the next loss a first one
const STALE_AFTER = 30_000;
const ANSWER_WITHIN = 10_000;
const SOCKET_QUIET = 25_000; // then a socket is pinged
const STREAM_QUIET = 45_000; // then a stream is lost: the server pings every 20 s
const STREAM_CHECK = 25_000;
const POLL_WAIT = 25; // seconds
const POLL_PAUSE = 1_000; // where an answer came at once and held nothing
const PROBE_AFTER = 300_000;
const RENEW_BEFORE = 30_000; // a token's end
const NUDGE_EVERY = 3_000;
const LEADER_ANSWERS_WITHIN = 5_000;
const LONGEST_ADDRESS = 32 * 1024; // characters
const LONGEST_TIMER = 2 ** 31 - 1;
const FAILURES = 2; // of a transport that never came through, before the next is tried
const BURST = 30; // messages over a socket at once, and then a second: below what the server takes (40, 10)
const RATE = 8;
const RESERVE = 10; // of the burst, which signals leave to what matters

const NOT_LOGGED_IN = 4401;
const FOR_GOOD = new Set([1009, 4400, 4403, 4404]); // close codes after which coming back would not help
const CLOSE_OF_STATUS = { 400: 4400, 401: NOT_LOGGED_IN, 403: 4403, 404: 4404, 413: 1009, 429: 4429, 503: 1013 };
const MESSAGES = ["subscribed", "events", "resync", "error", "authenticated", "ping", "goodbye"];

/**
 * Timers with names, which another tab can ring: browsers let the timers of a hidden tab fire once a minute, but its
 * messages at once.
 */
class Alarms {
  #set = new Map();

  set(name, delay, act) {
    this.clear(name);
    const timer = setTimeout(() => this.#fire(name), Math.min(delay, LONGEST_TIMER));
    this.#set.set(name, { due: performance.now() + delay, act, timer });
  }

  has(name) {
    return this.#set.has(name);
  }

  clear(...names) {
    for (const name of names) {
      clearTimeout(this.#set.get(name)?.timer);
      this.#set.delete(name);
    }
  }

  clearAll() {
    this.clear(...this.#set.keys());
  }

  /** Let those go off whose time has come. */
  ring() {
    for (const [name, { due }] of [...this.#set]) if (due <= performance.now()) this.#fire(name);
  }

  #fire(name) {
    const alarm = this.#set.get(name);
    this.clear(name);
    alarm?.act();
  }
}

// Transports. Each opens when it is made, and tells its connection what it hears and that it was lost; after `close` it
// says nothing. `quiet` is the silence after which `onQuiet` is called.

function socketAddress(base) {
  const address = new URL("ws", base);
  address.protocol = address.protocol.replace("http", "ws");
  return address;
}

function wording({ id, kind, arg, position }) {
  return { id, kind, arg, position: position || undefined };
}

class SocketTransport {
  name = "websocket";
  quiet = SOCKET_QUIET;
  #connection;
  #socket;
  #queue = [];
  #allowance = BURST;
  #counted = performance.now();

  constructor(connection) {
    this.#connection = connection;
    this.#socket = new WebSocket(socketAddress(connection.url));
    this.#socket.onopen = () => this.#begin();
    this.#socket.onmessage = ({ data }) => connection.hear(data);
    this.#socket.onclose = ({ code, reason }) => connection.lost({ code, message: reason });
  }

  #begin() {
    if (this.#connection.token) this.renew();
    for (const subscription of this.#connection.subscriptions.values()) this.add(subscription);
    if (!this.#connection.subscriptions.size) this.check();
  }

  add(subscription) {
    this.#say({ type: "subscribe", ...wording(subscription) });
    this.#connection.expectAnswer();
  }

  remove(id) {
    const waiting = this.#queue.findIndex((message) => message.type === "subscribe" && message.id === id);
    if (waiting >= 0) this.#queue.splice(waiting, 1);
    else this.#say({ type: "unsubscribe", id });
  }

  signal(signal) {
    this.#refill();
    if (!this.#queue.length && this.#allowance > RESERVE) this.#say({ type: "signal", ...signal });
  }

  renew() {
    this.#say({ type: "authenticate", token: this.#connection.token });
  }

  check() {
    this.#say({ type: "ping" });
    this.#connection.expectAnswer();
  }

  onQuiet() {
    this.check();
  }

  close() {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
  }

  #say(message) {
    if (this.#socket.readyState !== WebSocket.OPEN) return; // what stands when it opens is subscribed to then
    this.#queue.push(message);
    this.#send();
  }

  #send() {
    this.#refill();
    for (; this.#queue.length && this.#allowance >= 1; this.#allowance -= 1) {
      this.#socket.send(JSON.stringify(this.#queue.shift()));
    }
    if (this.#queue.length) this.#connection.alarms.set("send", 1000 / RATE, () => this.#send());
  }

  #refill() {
    const now = performance.now();
    this.#allowance = Math.min(BURST, this.#allowance + ((now - this.#counted) / 1000) * RATE);
    this.#counted = now;
  }
}

// What a refusal over HTTP says, as if a socket had been closed with it. A proxy has refusals of its own, which say
// nothing of this server.
async function refusal(response) {
  const said = await response.json().catch(() => null);
  const seconds = parseFloat(response.headers.get("Retry-After"));
  return {
    code: typeof said?.code === "string" ? CLOSE_OF_STATUS[response.status] : undefined,
    message: said?.message,
    retryIn: seconds >= 0 ? seconds * 1000 : undefined,
  };
}

function post(connection, path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  if (connection.token) headers.Authorization = `Bearer ${connection.token}`;
  return fetch(new URL(path, connection.url), { method: "POST", headers, body: JSON.stringify(body), signal });
}

class StreamTransport {
  name = "sse";
  quiet = STREAM_QUIET;
  #connection;
  #address;
  #source;
  #asking = new AbortController();

  static address({ url, token, subscriptions }) {
    const address = new URL("sse", url);
    for (const subscription of subscriptions.values()) {
      address.searchParams.append("subscribe", JSON.stringify(wording(subscription)));
    }
    if (token) address.searchParams.append("token", token);
    return address.href;
  }

  constructor(connection) {
    this.#connection = connection;
    this.#address = StreamTransport.address(connection);
    this.#source = new EventSource(this.#address);
    for (const type of MESSAGES) {
      // The browser's own "error" has no data.
      this.#source.addEventListener(type, ({ data }) =>
        data === undefined ? this.#fail() : connection.hear(data),
      );
    }
  }

  // By itself an EventSource would come back to the same address, with positions from long ago.
  #fail() {
    const refused = this.#source.readyState === EventSource.CLOSED;
    this.#source.close();
    if (refused) this.#askWhy();
    else this.#connection.lost({});
  }

  // An EventSource does not tell how it was refused.
  async #askWhy() {
    const { signal } = this.#asking;
    let end = {};
    try {
      const response = await fetch(this.#address, { headers: { Accept: "text/event-stream" }, signal });
      if (!response.ok) end = await refusal(response);
    } catch {
      // lost on the way, as the stream may have been
    }
    if (!signal.aborted) this.#connection.lost(end);
  }

  add() {
    this.#connection.reopenSoon();
  }

  remove() {
    this.#connection.reopenSoon();
  }

  renew() {
    this.#connection.reopenSoon();
  }

  check(network) {
    const { alarms, heardAt } = this.#connection;
    if (network) this.#connection.reopenSoon();
    else alarms.set("quiet", Math.max(0, heardAt + STREAM_CHECK - performance.now()), () => this.onQuiet());
  }

  onQuiet() {
    this.#connection.lost({});
  }

  close() {
    this.#asking.abort();
    this.#source.close();
  }
}

class PollTransport {
  name = "poll";
  quiet = 0; // each request has its own time
  #connection;
  #standing = new Set();
  #request = null;
  #notBefore = 0;

  constructor(connection) {
    this.#connection = connection;
    this.#ask();
  }

  async #ask() {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    const connection = this.#connection;
    connection.alarms.clear("answer");
    const subscriptions = [...connection.subscriptions.values()].map(wording);
    if (!subscriptions.length) return;
    // Whether a subscription stands is worth an answer at once.
    const wait = subscriptions.every(({ id }) => this.#standing.has(id)) ? POLL_WAIT : 0;
    connection.expectAnswer(wait * 1000 + ANSWER_WITHIN);
    const asked = performance.now();
    const { messages, retry_in: retryIn = 0, end } = await this.#fetch({ subscribe: subscriptions, wait }, request.signal);
    if (request !== this.#request) return;
    if (end) connection.lost(end);
    else this.#take(messages, retryIn, request, wait === 0 || performance.now() - asked > POLL_PAUSE);
  }

  async #fetch(body, signal) {
    try {
      const response = await post(this.#connection, "poll", body, signal);
      if (!response.ok) return { end: await refusal(response) };
      const answer = await response.json();
      return Array.isArray(answer?.messages) ? answer : { end: {} };
    } catch {
      return { end: {} };
    }
  }

  #take(messages, retryIn, request, isExpected) {
    const before = this.#standing.size;
    this.#connection.heard();
    for (const message of messages) {
      if (message.type === "subscribed") this.#standing.add(message.id);
      this.#connection.take(message);
      if (request !== this.#request) return; // that was the end
    }
    const hasNews = this.#standing.size > before || messages.some(({ type }) => type !== "subscribed");
    this.#notBefore = performance.now() + retryIn;
    this.#askIn(hasNews || isExpected ? 0 : POLL_PAUSE);
  }

  #askIn(delay) {
    const hint = this.#notBefore - performance.now();
    if (!this.#connection.alarms.has("poll")) {
      this.#connection.alarms.set("poll", Math.max(delay, hint), () => this.#ask());
    }
  }

  add() {
    this.check();
  }

  remove(id) {
    this.#standing.delete(id);
    this.check();
  }

  renew() {} // the next request has it

  check() {
    this.#connection.alarms.clear("poll");
    this.#askIn(0);
  }

  close() {
    this.#request?.abort();
    this.#request = null;
  }
}

const TRANSPORTS = { websocket: SocketTransport, sse: StreamTransport, poll: PollTransport };

/** Whether a socket comes through, tried beside what is in use. */
function socketAnswers({ url, token, alarms }, signal) {
  return new Promise((resolve) => {
    const socket = new WebSocket(socketAddress(url));
    const settle = (answer) => {
      alarms.clear("probed");
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
      resolve(answer);
    };
    socket.onopen = () => {
      if (token) socket.send(JSON.stringify({ type: "authenticate", token }));
      socket.send('{"type":"ping"}');
    };
    socket.onmessage = ({ data }) => data.includes('"pong"') && settle(true);
    socket.onclose = () => settle(false);
    signal.addEventListener("abort", () => settle(false), { once: true });
    alarms.set("probed", ANSWER_WITHIN, () => settle(false));
  });
}

/**
 * One connection to the server, which comes back until it is told not to. `hooks` hear of it: `onStatus(status,
 * transport)` with "down", "open" or "closed", `onMessage(id, message)` and `onError({code, message})`.
 */
class Connection {
  alarms = new Alarms();
  subscriptions = new Map();
  token = "";
  heardAt = 0;
  #options;
  #hooks;
  #transport = null;
  #opening = null;
  #heard = false; // anything over this transport
  #chosen = 0;
  #worked = new Set();
  #failures = 0;
  #attempts = 0;
  #notBefore = 0;
  #tokenEnds = 0;
  #closed = new AbortController();

  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
    for (const subscription of hooks.subscriptions?.() ?? []) this.add(subscription);
  }

  get url() {
    return this.#options.url;
  }

  add(subscription) {
    this.subscriptions.set(subscription.id, { ...subscription });
    if (this.#transport) this.#transport.add(this.subscriptions.get(subscription.id));
    else if (!this.alarms.has("open")) this.alarms.set("open", 0, () => this.#open());
  }

  remove(id) {
    if (this.subscriptions.delete(id)) this.#transport?.remove(id);
  }

  signal({ kind, arg = "", name }) {
    const signal = { kind, arg, name };
    if (!this.#heard) return;
    if (this.#transport.signal) this.#transport.signal(signal);
    else post(this, "signal", signal).catch(() => {}); // nobody keeps signals
  }

  /** The page came into sight, or (`network`) the network is another: look at once whether the connection lives. */
  check(network = false) {
    if (network) {
      this.#worked.clear();
      this.#failures = 0;
      this.#probeIn(this.#heard ? 0 : ANSWER_WITHIN);
    }
    if (this.#transport) this.#transport.check(network);
    else if (!this.#opening) this.alarms.set("open", Math.max(0, this.#notBefore - performance.now()), () => this.#open());
  }

  close() {
    this.#closed.abort();
    this.#drop();
    this.alarms.clearAll();
  }

  // What transports call

  expectAnswer(within = ANSWER_WITHIN) {
    if (!this.alarms.has("answer")) this.alarms.set("answer", within, () => this.lost({}));
  }

  hear(text) {
    let message = null;
    try {
      message = JSON.parse(text);
    } catch {
      this.lost({});
      return;
    }
    this.heard();
    this.take(message);
  }

  heard() {
    const { name, quiet } = this.#transport;
    this.heardAt = performance.now();
    this.alarms.clear("answer");
    if (quiet) this.alarms.set("quiet", quiet, () => this.#transport.onQuiet());
    if (this.#heard) return;
    this.#heard = true;
    this.#failures = 0;
    this.#worked.add(name);
    if (!this.alarms.has("probe")) this.#probeIn(PROBE_AFTER);
    this.#hooks.onStatus("open", name);
  }

  take(message) {
    const { type, id, code, message: words, position } = message;
    if (type === "goodbye") this.lost({ code, message: words, retryIn: message.retry_in, final: message.retry_in == null });
    else if (type === "authenticated") this.#renewBefore(message.expires_in * 1000);
    else if (type === "error" && id === undefined) this.#hooks.onError({ code, message: words });
    const subscription = this.subscriptions.get(id);
    if (!subscription) return;
    if (type === "error") this.subscriptions.delete(id);
    if (type === "subscribed" && !this.alarms.has("steady")) {
      this.alarms.set("steady", STEADY_AFTER, () => (this.#attempts = 0));
    }
    this.#hooks.onMessage(id, message);
    if (position) subscription.position = position;
  }

  lost(end) {
    const failed = this.#transport && !this.#heard && navigator.onLine ? this.#transport.name : "";
    this.#drop();
    this.token = "";
    if (this.#isForGood(end)) {
      this.close();
      this.#hooks.onError({ code: end.code, message: end.message || "The server refuses this connection." });
      this.#hooks.onStatus("closed", "");
      return;
    }
    if (failed && !this.#worked.has(failed)) this.#fallBack();
    this.#retry(end.retryIn);
    this.#hooks.onStatus("down", "");
  }

  reopenSoon() {
    this.alarms.set("reopen", 0, () => this.#reopen());
  }

  // Opening and coming back

  async #open() {
    this.alarms.clear("open");
    if (this.#closed.signal.aborted || this.#transport || this.#opening || !this.subscriptions.size) return;
    const opening = (this.#opening = {});
    if (!this.token || performance.now() > this.#tokenEnds) this.token = await this.#askToken();
    if (this.#opening !== opening) return;
    this.#opening = null;
    if (this.token === null) this.lost({});
    else this.#make(this.#choose());
  }

  #make(name) {
    this.heardAt = performance.now();
    this.expectAnswer();
    try {
      this.#transport = new TRANSPORTS[name](this);
    } catch (error) {
      this.#hooks.onError({ code: "transport", message: String(error) });
      this.lost({});
    }
  }

  #choose() {
    const { transports } = this.#options;
    const name = transports[this.#chosen];
    const isTooLong = name === "sse" && StreamTransport.address(this).length > LONGEST_ADDRESS;
    return isTooLong && transports.includes("poll") ? "poll" : name;
  }

  // The page's choice, not a loss: nobody is told.
  #reopen() {
    if (!this.#transport) return;
    const { token } = this;
    this.#drop();
    this.token = token;
    this.#open();
  }

  #drop() {
    this.#transport?.close();
    this.#transport = null;
    this.#opening = null;
    this.#heard = false;
    this.alarms.clear("answer", "quiet", "steady", "renew", "reopen", "poll", "send");
  }

  #isForGood({ code, final }) {
    if (code === NOT_LOGGED_IN) return !this.#options.token;
    return final || FOR_GOOD.has(code);
  }

  // Around and around: where the server was away while all were tried, none of them is at fault.
  #fallBack() {
    this.#failures += 1;
    if (this.#failures < FAILURES) return;
    this.#failures = 0;
    this.#chosen = (this.#chosen + 1) % this.#options.transports.length;
  }

  // The server's own word on when to come back is spread already. Else full jitter: after a restart not everybody comes
  // back at the same moment.
  #retry(hint) {
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#notBefore = performance.now() + (hint ?? 0);
    this.alarms.set("open", hint ?? Math.random() * ceiling, () => this.#open());
  }

  // Networks change, and a socket is the best of the three.
  #probeIn(delay) {
    const socket = this.#options.transports.indexOf("websocket");
    if (socket < 0) return;
    this.alarms.set("probe", delay, async () => {
      const { signal } = this.#closed;
      const isLess = this.#heard && this.#transport.name !== "websocket";
      if (isLess && (await socketAnswers(this, signal))) {
        this.#chosen = socket;
        this.#reopen();
      }
      if (!signal.aborted) this.#probeIn(PROBE_AFTER);
    });
  }

  // Tokens

  /** A token, "" where none is needed, null where none is to be had. */
  async #askToken() {
    const { token } = this.#options;
    if (!token) return "";
    const late = new Promise((_, reject) => {
      this.alarms.set("token", ANSWER_WITHIN, () => reject(new Error("No token came in time.")));
    });
    try {
      const given = await Promise.race([token(), late]);
      if (!given) throw new Error("There is no token.");
      return given;
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#hooks.onError({ code: "token", message: String(error?.message ?? error) });
      return null;
    } finally {
      this.alarms.clear("token");
    }
  }

  #renewBefore(life) {
    const margin = Math.min(RENEW_BEFORE, life / 2);
    this.#tokenEnds = performance.now() + life - margin;
    this.alarms.set("renew", life - margin, async () => {
      const transport = this.#transport;
      const token = await this.#askToken();
      if (!token || transport !== this.#transport) return; // without one the server ends it, and then it is asked for again
      this.token = token;
      transport.renew();
    });
  }
}

/**
 * The connection of several tabs, in the place of a `Connection`. The tab that holds the lock of this name leads: it has
 * the connection and subscribes for all tabs. A tab holds a lock of its own, under the name of its *session*, and the
 * leader learns from it that the tab has gone, however it went.
 *
 * A session begins whenever the tab joins a leader, with the positions that the tab has then, and what is addressed to
 * an earlier session is not heard. So it does not matter what a leader has sent last, or twice, or still sends.
 */
class Share {
  #name;
  #options;
  #hooks;
  #channel;
  #alarms = new Alarms();
  #session = "";
  #joined = false;
  #leave = () => {};
  #candidacy = null;
  #closed = false;
  // While this tab leads:
  #connection = null;
  #members = new Map(); // session → ids of its subscriptions
  #status = { status: "down", transport: "" };
  #resign = () => {};

  static isPossible() {
    return globalThis.isSecureContext && "locks" in navigator && "BroadcastChannel" in globalThis;
  }

  constructor(options, hooks) {
    this.#name = `realtime ${options.url} ${options.share}`;
    this.#options = options;
    this.#hooks = hooks;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#join();
    this.#stand();
    this.#alarms.set("nudge", NUDGE_EVERY, () => this.#nudgeOften());
  }

  add(subscription) {
    this.#say({ type: "add", subscription: wording(subscription) });
  }

  remove(id) {
    this.#say({ type: "remove", id });
  }

  signal(signal) {
    this.#say({ type: "signal", signal });
  }

  check(network) {
    this.#say({ type: "check", network });
    this.#nudge();
  }

  close() {
    this.#closed = true;
    this.#alarms.clearAll();
    this.#resign();
    this.#candidacy?.abort();
    this.#leave();
    this.#channel.close();
  }

  // As one of the tabs

  #join() {
    this.#leave();
    const session = (this.#session = crypto.randomUUID());
    this.#joined = false;
    this.#hooks.onStatus("down", "");
    this.#hold(session, {}, () => {
      if (this.#closed || session !== this.#session) return null;
      const left = new Promise((leave) => (this.#leave = leave));
      this.#joined = true;
      this.#say({ type: "join", subscriptions: [...this.#hooks.subscriptions()].map(wording) });
      this.#nudge();
      return left;
    });
  }

  #hold(name, options, act) {
    const lock = name ? `${this.#name} ${name}` : this.#name;
    return navigator.locks.request(lock, options, act).catch((error) => {
      // Some pages (in a sandboxed frame, say) may have no locks.
      if (error.name !== "AbortError" && !this.#closed) this.#hooks.onImpossible();
    });
  }

  /** Tell whoever leads. Before the tab has joined nobody need know: joining says it all. */
  #say(message) {
    const said = { ...message, from: this.#session };
    if (!this.#joined) return;
    if (this.#connection) this.#serve(said);
    else this.#channel.postMessage(said);
  }

  #hear(message) {
    if (message.type === "leader") {
      this.#resign(); // this one's lock was stolen while it slept
      this.#join();
    } else if (message.to) {
      if (message.to === this.#session) this.#take(message);
    } else if (this.#connection) {
      this.#serve(message);
    }
  }

  #take({ type, id, message, status, transport, error }) {
    this.#alarms.clear("answer");
    if (type === "status") this.#hooks.onStatus(status, transport);
    else if (type === "message") this.#hooks.onMessage(id, message);
    else if (type === "error") this.#hooks.onError(error);
  }

  #nudgeOften() {
    this.#nudge();
    this.#alarms.set("nudge", NUDGE_EVERY, () => this.#nudgeOften());
  }

  // A tab that is looked at lends its timers to a leader in the background, and takes over from one that does not answer.
  #nudge() {
    if (this.#connection || !this.#joined || document.visibilityState !== "visible") return;
    if (!this.#alarms.has("answer")) this.#alarms.set("answer", LEADER_ANSWERS_WITHIN, () => this.#stand(true));
    this.#say({ type: "nudge" });
  }

  // As the leader

  /** Wait until the lock is free, or (`steal`) take it, and lead for as long as it is held. */
  async #stand(steal = false) {
    this.#candidacy?.abort();
    const candidacy = (this.#candidacy = new AbortController());
    await this.#hold("", steal ? { steal } : { signal: candidacy.signal }, () => this.#lead());
    if (candidacy !== this.#candidacy || this.#closed) return;
    this.#resign();
    this.#stand();
  }

  #lead() {
    if (this.#closed) return null;
    const end = new Promise((resolve) => {
      this.#resign = () => {
        this.#connection.close();
        this.#connection = null;
        this.#members.clear();
        this.#resign = () => {};
        resolve();
      };
    });
    this.#status = { status: "down", transport: "" };
    this.#connection = new Connection(this.#options, {
      onStatus: (status, transport) => {
        this.#status = { status, transport };
        this.#tellAll({ type: "status", ...this.#status });
      },
      onMessage: (id, message) => {
        const [session, own] = id.split(":");
        this.#tell(session, { type: "message", id: own, message });
      },
      onError: (error) => this.#tellAll({ type: "error", error }),
    });
    this.#channel.postMessage({ type: "leader" });
    this.#join();
    return end;
  }

  #serve({ type, from, id, subscription, subscriptions, signal, network }) {
    if (type === "join") this.#admit(from, subscriptions);
    if (!this.#members.has(from)) return;
    if (type === "add") this.#subscribe(from, subscription);
    else if (type === "remove") this.#connection.remove(`${from}:${id}`);
    else if (type === "signal") this.#connection.signal(signal);
    else if (type === "check") this.#connection.check(network);
    else if (type === "nudge") {
      this.#connection.alarms.ring();
      this.#tell(from, { type: "status", ...this.#status });
    }
  }

  #admit(session, subscriptions) {
    this.#members.set(session, new Set());
    this.#tell(session, { type: "status", ...this.#status });
    for (const subscription of subscriptions) this.#subscribe(session, subscription);
    const connection = this.#connection;
    this.#hold(session, {}, () => {
      if (connection === this.#connection) this.#forget(session);
    });
  }

  #subscribe(session, subscription) {
    this.#members.get(session).add(subscription.id);
    this.#connection.add({ ...subscription, id: `${session}:${subscription.id}` });
  }

  #forget(session) {
    for (const id of this.#members.get(session) ?? []) this.#connection.remove(`${session}:${id}`);
    this.#members.delete(session);
  }

  #tell(session, message) {
    if (session === this.#session) this.#take(message);
    else if (!this.#closed) this.#channel.postMessage({ ...message, to: session });
  }

  #tellAll(message) {
    for (const session of this.#members.keys()) if (session !== this.#session) this.#tell(session, message);
    this.#tell(this.#session, message); // at last: it may be this tab's last
  }
}

// What the page holds

/**
 * @typedef {object} Subscribing
 * @property {string} kind What to follow: a kind that the server knows.
 * @property {string} [arg] Of which one: up to 500 characters.
 * @property {string} [position] What came with the data; without it, the subscription begins now.
 * @property {(events: object[]) => void} [onEvents] Apply these, in their order. The position moves on when it returns.
 * @property {() => void} [onResync] What was missed cannot be had: load the data anew.
 * @property {(error: {code: string, message: string}) => void} [onError] The server refused it ("denied", "invalid" or
 *   "limit"), and it stands no more.
 */

/** One subscription of a page, as `Live.subscribe` returns it. */
class Subscription {
  #end;

  /** @private */
  constructor(id, { kind, arg = "", position = "", onEvents, onResync, onError }, end) {
    Object.assign(this, { id, kind, arg, position, onEvents, onResync, onError });
    this.#end = end;
  }

  /** End it: none of its callbacks is called any more. */
  unsubscribe() {
    this.#end(this);
  }
}

/**
 * A page's connection, as `connect` returns it.
 *
 * `target` is an EventTarget that dispatches the same as the callbacks are told, as CustomEvents: `realtime:state`
 * (detail `{state}`), `realtime:events` (`{subscription, events}`), `realtime:resync` (`{subscription}`) and
 * `realtime:error` (`{code, message, subscription}`, the last one where it is about one).
 */
class Live {
  target = new EventTarget();
  #options;
  #subscriptions = new Map();
  #pending = new Set(); // ids of those that do not stand since the connection was lost
  #link = null;
  #isAlone = false;
  #status = "down";
  #transport = "";
  #state = "connecting";
  #wasLive = false;
  #isStale = false;
  #count = 0;
  #alarms = new Alarms();
  #listening = new AbortController();

  /** @private */
  constructor(options) {
    this.#options = options;
    this.#isAlone = !options.share || !Share.isPossible();
    this.#listen();
    this.#enter();
    queueMicrotask(() => {
      this.#announce(); // not before the page has what `connect` returns
      this.#settle();
    });
  }

  /**
   * How what is shown relates to what is: "connecting" at first, "live" while all subscriptions stand, "reconnecting"
   * after a loss, "stale" after 30 s of that or while the browser is offline, "closed" for good.
   */
  get state() {
    return this.#state;
  }

  /** "websocket", "sse", "poll", or "" without a connection. */
  get transport() {
    return this.#transport;
  }

  /**
   * Follow something.
   * @param {Subscribing} what
   * @returns {Subscription} with `kind`, `arg`, the `position` up to which the page has been told, and `unsubscribe()`.
   */
  subscribe(what) {
    const id = String((this.#count += 1));
    const subscription = new Subscription(id, what, (ended) => this.#unsubscribe(ended));
    this.#subscriptions.set(id, subscription);
    if (this.#state !== "live") this.#pending.add(id);
    this.#link?.add(subscription);
    this.#settle();
    return subscription;
  }

  /**
   * Say something that nobody keeps to the readers of a subscription. Without a connection it is dropped.
   * @param {{kind: string, arg?: string, name: string}} signal
   */
  signal({ kind, arg = "", name }) {
    this.#link?.signal({ kind, arg, name });
  }

  /** End the connection of this page for good. */
  close() {
    this.#status = "closed";
    this.#transport = "";
    this.#listening.abort();
    this.#alarms.clearAll();
    this.#exit();
    this.#settle();
  }

  // The page comes and goes

  #listen() {
    const { signal } = this.#listening;
    const on = (target, type, act) => target.addEventListener(type, act, { signal });
    on(document, "visibilitychange", () => document.visibilityState === "visible" && this.#link?.check(false));
    for (const [type, isNew] of [["online", true], ["offline", false]]) {
      on(window, type, () => {
        this.#link?.check(isNew);
        this.#settle();
      });
    }
    // A page that is kept for the Back button, or frozen, may hold neither a connection nor locks.
    on(window, "pagehide", () => this.#exit());
    on(document, "freeze", () => this.#exit());
    on(window, "pageshow", () => this.#enter());
    on(document, "resume", () => this.#enter());
  }

  #enter() {
    if (this.#link) return;
    this.#alarms.ring();
    const hooks = {
      subscriptions: () => this.#subscriptions.values(),
      onStatus: (status, transport) => this.#take(status, transport),
      onMessage: (id, message) => this.#deliver(id, message),
      onError: (error) => this.#fail(error),
      onImpossible: () => this.#goAlone(),
    };
    this.#link = this.#isAlone ? new Connection(this.#options, hooks) : new Share(this.#options, hooks);
  }

  #exit() {
    this.#link?.close();
    this.#link = null;
    if (this.#status !== "closed") this.#take("down", "");
  }

  #goAlone() {
    this.#exit();
    this.#isAlone = true;
    this.#enter();
  }

  // What the link tells

  #take(status, transport) {
    if (this.#status === "closed") return;
    this.#transport = transport;
    if (status === "closed") {
      this.close();
      return;
    }
    this.#status = status;
    if (status === "down") this.#pending = new Set(this.#subscriptions.keys());
    this.#settle();
  }

  #deliver(id, message) {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    if (message.type === "error") {
      this.#refuse(subscription, message);
      return;
    }
    this.#pending.delete(id);
    if (message.type === "events") {
      const { events } = message;
      this.#tell(subscription.onEvents, events, "events", { subscription, events });
    } else if (message.type === "resync") {
      this.#tell(subscription.onResync, undefined, "resync", { subscription });
    }
    // Only now: a page that is left in between has not been told.
    if (message.position) subscription.position = message.position;
    this.#settle();
  }

  // The connection that is shared may be full of other tabs' subscriptions.
  #refuse(subscription, { code, message }) {
    if (code === "limit" && !this.#isAlone) {
      this.#goAlone();
      return;
    }
    this.#unsubscribe(subscription);
    this.#tell(subscription.onError, { code, message }, "error", { code, message, subscription });
  }

  #fail(error) {
    this.#tell(this.#options.onError, error, "error", error);
  }

  #unsubscribe({ id }) {
    if (!this.#subscriptions.delete(id)) return;
    this.#pending.delete(id);
    this.#link?.remove(id);
    this.#settle();
  }

  // What the page is told

  #settle() {
    const state = this.#stateNow();
    if (state === "live") {
      this.#wasLive = true;
      this.#isStale = false;
      this.#alarms.clear("stale");
    } else if (state !== "closed" && this.#subscriptions.size && !this.#isStale && !this.#alarms.has("stale")) {
      this.#alarms.set("stale", STALE_AFTER, () => {
        this.#isStale = true;
        this.#settle();
      });
    }
    if (state === this.#state) return;
    this.#state = state;
    this.#announce();
  }

  #stateNow() {
    if (this.#status === "closed") return "closed";
    if (this.#isStale && !this.#isUp()) return "stale";
    if (!navigator.onLine) return "stale";
    if (this.#isUp()) return "live";
    return this.#wasLive ? "reconnecting" : "connecting";
  }

  #isUp() {
    return this.#status === "open" && !this.#pending.size;
  }

  #announce() {
    this.#tell(this.#options.onState, this.#state, "state", { state: this.#state });
  }

  // A page's mistake is the page's: it is reported, and what comes next is told all the same.
  #tell(callback, value, name, detail) {
    try {
      callback?.(value);
    } catch (error) {
      reportError(error);
    }
    this.target.dispatchEvent(new CustomEvent(`realtime:${name}`, { detail }));
  }
}

/**
 * Connect a page to a server of realtime streams.
 *
 * Tabs of one origin that name the same `share` have one connection together, so what one user may see is delivered
 * through it to all of them: a `share` names the user ("user-42"), and never stands for several.
 *
 * @param {object} [options]
 * @param {string | URL} [options.url] The server's base address, absolute for pages of other sites. Default: /realtime/
 * @param {() => Promise<string>} [options.token] Gives an access token. Called for each connection, and before a token
 *   ends. Without it, the session's cookie logs in.
 * @param {string} [options.share] One connection for all tabs that name the same. Default: one for this page alone.
 * @param {("websocket" | "sse" | "poll")[]} [options.transports] In the order in which they are tried. Default: all.
 * @param {(state: "connecting" | "live" | "reconnecting" | "stale" | "closed") => void} [options.onState]
 * @param {(error: {code: string | number, message: string}) => void} [options.onError] Of the connection: a number is the
 *   code with which it was closed for good, "token" means that there was none (it is asked for again).
 * @returns {Live}
 * @throws {TypeError} Where a transport is none of the three, or `url` is no address.
 */
export function connect(options = {}) {
  const url = new URL(options.url ?? "/realtime/", location.href);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const transports = options.transports ?? Object.keys(TRANSPORTS);
  if (!transports.length || !transports.every((name) => Object.hasOwn(TRANSPORTS, name))) {
    throw new TypeError(`Transports are ${Object.keys(TRANSPORTS).join(", ")}, not ${transports.join(", ") || "none"}.`);
  }
  return new Live({ ...options, url: url.href, transports });
}
