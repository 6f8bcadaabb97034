// A client of Tributary's realtime streams: one module, no dependencies, for this site's pages and for pages of others.
//
//   import { connect } from "https://example.org/static/realtime/client.js";
//
//   const live = connect({ share: "user-42", onState: (state) => … });
//   const subscription = live.subscribe({
//     kind: "timeline",
//     position: "…",             // what came with the data
//     onEvents: (events) => …,   // none is missed; the data may hold one already
//     onResync: () => …,         // what was missed cannot be had: load the data anew
//   });
//   live.signal({ kind: "conversation", arg: "42", name: "typing" });
//
// It speaks WebSocket, server-sent events or long polls, whichever comes through, keeps each subscription's position and
// resumes from it, and shares one connection among the tabs that name the same `share`. docs/realtime.md has the protocol.
// Below: alarms, the transports, the connection (over which of them, and when again), the share (which tab has the
// connection), what a page holds, and `connect`.

const FIRST_DELAY = 500; // milliseconds, as all times here
const LONGEST_DELAY = 30_000;
const STEADY_AFTER = 5_000; // subscriptions that stood so long make the next loss a first one
const STALE_AFTER = 30_000;
const ANSWER_WITHIN = 10_000;
const SOCKET_QUIET = 25_000; // then a socket is pinged
const STREAM_QUIET = 45_000; // then a stream is lost: the server pings every 20 s
const STREAM_DOUBTED = 25_000; // the same, where there is reason to look
const POLL_WAIT = 25; // seconds
const POLL_SOON = 0.1; // seconds; one that does not wait at all is asked to stay away for some time
const POLL_PAUSE = 1_000; // after an answer without news: it may have come at once
const PROBE_AFTER = 300_000;
const RENEW_BEFORE = 30_000; // the end of a token
const NUDGE_EVERY = 3_000;
const LEADER_ANSWERS_WITHIN = 5_000;
const LONGEST_ADDRESS = 32 * 1024; // characters
const LONGEST_TIMER = 2 ** 31 - 1;
const MOST_SUBSCRIPTIONS = 60; // of a connection; a stream or poll with more would be refused whole
const LONGEST_KIND = 64; // characters
const LONGEST_ARG = 500;
const FAILURES = 2; // of a transport that never came through, before the next is tried
const BURST = 30; // messages over a socket, and how many more each second: the server takes 40 and 10
const RATE = 8;
const RESERVE = 10; // of the burst, which signals leave to what matters

const NOT_LOGGED_IN = 4401;
const FOR_GOOD = new Set([1009, 4400, 4403, 4404]); // close codes after which coming back would not help
const CLOSE_OF_STATUS = { 400: 4400, 401: NOT_LOGGED_IN, 403: 4403, 404: 4404, 413: 1009, 429: 4429, 503: 1013 };
const MESSAGES = ["subscribed", "events", "resync", "error", "authenticated", "ping", "goodbye"];

/** Timers by name, which another tab can ring: a hidden tab's go off once a minute, but it hears messages at once. */
class Alarms {
  #alarms = new Map();

  set(name, delay, act) {
    this.clear(name);
    const timer = setTimeout(() => this.#fire(name), Math.min(delay, LONGEST_TIMER));
    this.#alarms.set(name, { due: performance.now() + delay, act, timer });
  }

  has(name) { return this.#alarms.has(name); }

  clear(...names) {
    for (const name of names.length ? names : [...this.#alarms.keys()]) {
      clearTimeout(this.#alarms.get(name)?.timer);
      this.#alarms.delete(name);
    }
  }

  /** Let those go off whose time has come. */
  ring() {
    for (const [name, { due }] of [...this.#alarms]) if (due <= performance.now()) this.#fire(name);
  }

  #fire(name) {
    const alarm = this.#alarms.get(name);
    this.clear(name);
    alarm?.act();
  }
}

// Transports. Each opens when it is made, tells its connection what it hears and that it was lost, and nothing after
// `close`. After the silence `quiet`, `onQuiet` is called.

const wording = ({ id, kind, arg, position }) => ({ id, kind, arg, position: position || undefined });

function openSocket(base) {
  const address = new URL("ws", base);
  address.protocol = address.protocol.replace("http", "ws");
  return new WebSocket(address);
}

class SocketTransport {
  quiet = SOCKET_QUIET;
  #connection; #socket;
  #queue = []; #allowance = BURST; #counted = performance.now();

  constructor(connection) {
    this.#connection = connection;
    this.#socket = openSocket(connection.url);
    this.#socket.onopen = () => this.#begin();
    this.#socket.onmessage = ({ data }) => connection.hear(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => connection.lost({ code, message: reason });
  }

  #begin() {
    if (this.#connection.token) this.renew();
    for (const subscription of this.#connection.subscriptions.values()) this.add(subscription);
    if (!this.#connection.subscriptions.size) this.check();
  }

  add(subscription) { this.#ask({ type: "subscribe", ...wording(subscription) }); }
  remove(id) { this.#say({ type: "unsubscribe", id }); }
  renew() { this.#say({ type: "authenticate", token: this.#connection.token }); }
  check() { this.#ask({ type: "ping" }); }
  onQuiet() { this.check(); }

  signal(signal) {
    this.#refill();
    if (!this.#queue.length && this.#allowance > RESERVE) this.#say({ type: "signal", ...signal });
  }

  close() {
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
  }

  #ask(message) {
    this.#say(message);
    this.#connection.expectAnswer();
  }

  #say(message) {
    if (this.#socket.readyState !== WebSocket.OPEN) return; // what there is when it opens is subscribed to then
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
  const code = typeof said?.code === "string" ? CLOSE_OF_STATUS[response.status] : undefined;
  const seconds = parseFloat(response.headers.get("Retry-After"));
  return { code, message: said?.message, retryIn: seconds >= 0 ? seconds * 1000 : undefined };
}

function post({ url, token }, path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  return fetch(new URL(path, url), { method: "POST", headers, body: JSON.stringify(body), signal });
}

class StreamTransport {
  quiet = STREAM_QUIET;
  #connection; #address; #source;
  #asking = new AbortController();

  static address({ url, token, subscriptions }) {
    const address = new URL("sse", url);
    for (const one of subscriptions.values()) address.searchParams.append("subscribe", JSON.stringify(wording(one)));
    if (token) address.searchParams.append("token", token);
    return address.href;
  }

  constructor(connection) {
    this.#connection = connection;
    this.#address = StreamTransport.address(connection);
    this.#source = new EventSource(this.#address);
    // The browser's own "error" has no data.
    const hear = ({ data }) => (data === undefined ? this.#fail() : connection.hear(JSON.parse(data)));
    for (const type of MESSAGES) this.#source.addEventListener(type, hear);
  }

  // By itself an EventSource would come back to the same address, with positions from long ago.
  #fail() {
    const isRefused = this.#source.readyState === EventSource.CLOSED;
    this.#source.close();
    if (isRefused) this.#askWhy();
    else this.#connection.lost({});
  }

  // It does not tell how it was refused.
  async #askWhy() {
    const { signal } = this.#asking;
    const headers = { Accept: "text/event-stream" };
    const response = await fetch(this.#address, { headers, signal }).catch(() => null);
    const end = response && !response.ok ? await refusal(response) : {};
    if (!signal.aborted) this.#connection.lost(end);
  }

  add() { this.#connection.reopenSoon(); }
  remove() { this.#connection.reopenSoon(); }
  renew() { this.#connection.reopenSoon(); }
  onQuiet() { this.#connection.lost({}); }

  check(isNetworkNew) {
    const { alarms, heardAt } = this.#connection;
    if (isNetworkNew) this.#connection.reopenSoon();
    else alarms.set("quiet", Math.max(0, heardAt + STREAM_DOUBTED - performance.now()), () => this.onQuiet());
  }

  close() {
    this.#asking.abort();
    this.#source.close();
  }
}

class PollTransport {
  quiet = 0; // each request has a time of its own
  #connection; #request = null; #notBefore = 0;
  #standing = new Set(); // ids

  constructor(connection) {
    this.#connection = connection;
    this.#poll();
  }

  add() { this.check(); }
  renew() {} // the next request has it

  remove(id) {
    this.#standing.delete(id);
    this.check();
  }

  check() {
    this.#connection.alarms.clear("poll");
    this.#pollIn(0);
  }

  close() {
    this.#request?.abort();
    this.#request = null;
  }

  #pollIn(delay) {
    if (this.#connection.alarms.has("poll")) return; // for what was subscribed to meanwhile
    this.#connection.alarms.set("poll", Math.max(delay, this.#notBefore - performance.now()), () => this.#poll());
  }

  async #poll() {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    this.#connection.alarms.clear("answer");
    const subscribe = [...this.#connection.subscriptions.values()].map(wording);
    if (!subscribe.length) return;
    // Whether a subscription stands is worth an answer soon.
    const wait = subscribe.every(({ id }) => this.#standing.has(id)) ? POLL_WAIT : POLL_SOON;
    this.#connection.expectAnswer(wait * 1000 + ANSWER_WITHIN);
    const answer = await this.#fetch({ subscribe, wait }, request.signal);
    if (request === this.#request) this.#take(answer, request);
  }

  async #fetch(body, signal) {
    try {
      const response = await post(this.#connection, "poll", body, signal);
      return response.ok ? await response.json() : { end: await refusal(response) };
    } catch {
      return { end: {} };
    }
  }

  #take({ messages, retry_in: retryIn = 0, end }, request) {
    if (!Array.isArray(messages)) {
      this.#connection.lost(end ?? {});
      return;
    }
    const hasNews = messages.some(({ type, id }) => type !== "subscribed" || !this.#standing.has(id));
    this.#notBefore = performance.now() + retryIn;
    this.#connection.heard();
    for (const message of messages) {
      if (request !== this.#request) return; // the one before was the end
      if (message.type === "subscribed") this.#standing.add(message.id);
      this.#connection.take(message);
    }
    if (request === this.#request) this.#pollIn(hasNews ? 0 : POLL_PAUSE);
  }
}

const TRANSPORTS = { websocket: SocketTransport, sse: StreamTransport, poll: PollTransport };

/** Whether a socket comes through, tried beside what is in use. */
function socketAnswers({ url, token, alarms }, signal) {
  return new Promise((resolve) => {
    const socket = openSocket(url);
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
    socket.onmessage = ({ data }) => JSON.parse(data).type === "pong" && settle(true);
    socket.onclose = () => settle(false);
    signal.addEventListener("abort", () => settle(false), { once: true });
    alarms.set("probed", ANSWER_WITHIN, () => settle(false));
  });
}

/**
 * One connection to the server, which comes back until it is told not to. `hooks` hear of it: `onStatus(status,
 * transport)` with "down", "open" or "closed", `onMessage(id, message)`, `onError({code, message})`.
 */
class Connection {
  alarms = new Alarms(); subscriptions = new Map();
  token = ""; #tokenEnds = 0;
  #options; #hooks;
  #transport = null; #name = ""; #opening = null;
  #isHeard = false; heardAt = 0; // anything over this transport, and when last
  #worked = new Set(); #chosen = 0; #failures = 0; // names of transports, which is in use, and how often it failed
  #attempts = 0; #notBefore = 0;
  #closed = new AbortController();

  constructor(options, hooks) {
    this.#options = options;
    this.#hooks = hooks;
    for (const subscription of hooks.subscriptions?.() ?? []) this.add(subscription);
  }

  get url() { return this.#options.url; }

  add(subscription) {
    if (this.subscriptions.size >= MOST_SUBSCRIPTIONS) {
      const error = { type: "error", code: "limit", message: `A connection has ${MOST_SUBSCRIPTIONS} subscriptions.` };
      queueMicrotask(() => this.#hooks.onMessage(subscription.id, error));
      return;
    }
    this.subscriptions.set(subscription.id, { ...subscription });
    if (this.#transport) this.#transport.add(subscription);
    else if (!this.alarms.has("open")) this.#openIn(0);
  }

  remove(id) {
    if (this.subscriptions.delete(id)) this.#transport?.remove(id);
  }

  signal({ kind, arg, name }) {
    if (!this.#isHeard) return;
    if (this.#transport.signal) this.#transport.signal({ kind, arg, name });
    else post(this, "signal", { kind, arg, name }).catch(() => {}); // nobody keeps signals
  }

  /** The page came into sight, or into another network: look whether the connection lives. */
  check(isNetworkNew) {
    if (isNetworkNew) {
      this.#worked.clear();
      this.#failures = 0;
      this.#probeIn(this.#isHeard ? 0 : ANSWER_WITHIN);
    }
    if (this.#transport) this.#transport.check(isNetworkNew);
    else this.#openIn(Math.max(0, this.#notBefore - performance.now()));
  }

  close() {
    this.#closed.abort();
    this.#drop();
    this.alarms.clear();
  }

  // What transports call

  expectAnswer(within = ANSWER_WITHIN) {
    if (!this.alarms.has("answer")) this.alarms.set("answer", within, () => this.lost({}));
  }

  hear(message) {
    this.heard();
    this.take(message);
  }

  heard() {
    const { quiet } = this.#transport;
    this.heardAt = performance.now();
    this.alarms.clear("answer");
    if (quiet) this.alarms.set("quiet", quiet, () => this.#transport.onQuiet());
    if (this.#isHeard) return;
    this.#isHeard = true;
    this.#failures = 0;
    this.#worked.add(this.#name);
    if (!this.alarms.has("probe")) this.#probeIn(PROBE_AFTER);
    this.#hooks.onStatus("open", this.#name);
  }

  take({ type, id, code, message: words, retry_in: retryIn, ...message }) {
    if (type === "goodbye") this.lost({ code, message: words, retryIn, isLast: retryIn == null });
    else if (type === "authenticated") this.#renewBefore(message.expires_in * 1000);
    else if (type === "error" && id === undefined) this.#hooks.onError({ code, message: words });
    const subscription = this.subscriptions.get(id);
    if (!subscription) return;
    if (type === "error") this.subscriptions.delete(id);
    if (!this.alarms.has("steady")) this.alarms.set("steady", STEADY_AFTER, () => (this.#attempts = 0));
    this.#hooks.onMessage(id, { type, code, message: words, ...message });
    if (message.position) subscription.position = message.position;
  }

  lost({ code, message, retryIn, isLast = false }) {
    const isFailure = this.#transport && !this.#isHeard && navigator.onLine && !this.#worked.has(this.#name);
    this.#drop();
    this.token = "";
    if (code === NOT_LOGGED_IN ? !this.#options.token : isLast || FOR_GOOD.has(code)) {
      this.close();
      this.#hooks.onError({ code, message: message || "The server refuses this connection." });
      this.#hooks.onStatus("closed", "");
      return;
    }
    if (isFailure) this.#fallBack();
    this.#retry(retryIn);
    this.#hooks.onStatus("down", "");
  }

  /** Open anew for the client's own reasons, which is no loss: nobody is told. */
  reopenSoon() {
    this.alarms.set("reopen", 0, () => this.#reopen());
  }

  // Opening and coming back

  async #open() {
    if (this.#closed.signal.aborted || this.#transport || this.#opening || !this.subscriptions.size) return;
    const opening = (this.#opening = {});
    this.expectAnswer();
    if (!this.token || performance.now() > this.#tokenEnds) this.token = await this.#askToken();
    if (this.#opening !== opening) return;
    this.#opening = null;
    if (this.token === null) {
      this.lost({});
      return;
    }
    this.alarms.clear("answer");
    this.expectAnswer();
    this.heardAt = performance.now();
    this.#name = this.#choose();
    this.#transport = new TRANSPORTS[this.#name](this);
  }

  #openIn(delay) { this.alarms.set("open", delay, () => this.#open()); }

  #choose() {
    const { transports } = this.#options;
    const name = transports[this.#chosen];
    const isTooLong = name === "sse" && StreamTransport.address(this).length > LONGEST_ADDRESS;
    return isTooLong && transports.includes("poll") ? "poll" : name;
  }

  #reopen() {
    this.#drop();
    this.#open();
  }

  #drop() {
    this.#transport?.close();
    this.#transport = this.#opening = null;
    this.#isHeard = false;
    this.alarms.clear("answer", "quiet", "steady", "renew", "reopen", "poll", "send");
  }

  // Around and around: where the server was away while all were tried, none of them is at fault.
  #fallBack() {
    this.#failures += 1;
    if (this.#failures < FAILURES) return;
    this.#failures = 0;
    this.#chosen = (this.#chosen + 1) % this.#options.transports.length;
  }

  // Full jitter: after a restart not everybody comes back at the same moment. What the server says is spread already.
  #retry(hint) {
    const ceiling = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#notBefore = performance.now() + (hint ?? 0);
    this.#openIn(hint ?? Math.random() * ceiling);
  }

  // Networks change, and a socket is the best of the three.
  #probeIn(delay) {
    const socket = this.#options.transports.indexOf("websocket");
    if (socket < 0) return;
    this.alarms.set("probe", delay, async () => {
      const { signal } = this.#closed;
      if (this.#isHeard && this.#name !== "websocket" && (await socketAnswers(this, signal))) {
        this.#chosen = socket;
        this.#reopen();
      }
      if (!signal.aborted) this.#probeIn(PROBE_AFTER);
    });
  }

  /** A token, "" where none is needed, null where none is to be had. */
  async #askToken() {
    if (!this.#options.token) return "";
    try {
      const token = await this.#options.token();
      if (token) return token;
      throw new Error("There is no token.");
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#hooks.onError({ code: "token", message: String(error) });
      return null;
    }
  }

  #renewBefore(life) {
    const delay = Math.max(1000, life - Math.min(RENEW_BEFORE, life / 2));
    const transport = this.#transport;
    this.#tokenEnds = performance.now() + delay;
    this.alarms.set("renew", delay, async () => {
      const token = await this.#askToken();
      if (!token || transport !== this.#transport) return; // the server ends it, and then it is asked for again
      this.token = token;
      transport.renew();
    });
  }
}

/**
 * The connection of several tabs, in the place of a `Connection`. The tab that holds the lock of this name leads: it
 * has the connection and subscribes for all. Each tab holds a lock of its own, named after its *session*, from which
 * the leader learns that the tab has gone, however it went.
 *
 * A session begins whenever a tab joins a leader, with the positions that the tab has then; what is addressed to an
 * earlier one is not heard. So it does not matter what a leader has sent last, or still sends.
 */
class Share {
  #name; #options; #hooks; #channel; #isClosed = false;
  #alarms = new Alarms();
  #session = ""; #before = ""; #isJoined = false; #leave = () => {}; // this tab's session, and the one before it
  #candidacy = null;
  // While this tab leads:
  #connection = null; #status = {}; #resign = () => {};
  #members = new Map(); // session → ids of its subscriptions

  static isPossible() { return isSecureContext && "locks" in navigator && "BroadcastChannel" in globalThis; }

  constructor(options, hooks) {
    this.#name = `realtime ${options.url} ${options.share}`;
    this.#options = options;
    this.#hooks = hooks;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#join();
    this.#stand();
  }

  add(subscription) { this.#say({ type: "add", subscription: wording(subscription) }); }
  remove(id) { this.#say({ type: "remove", id }); }
  signal(signal) { this.#say({ type: "signal", signal }); }

  check(isNetworkNew) {
    this.#say({ type: "check", isNetworkNew });
    this.#nudge();
  }

  close() {
    this.#isClosed = true;
    this.#alarms.clear();
    this.#resign();
    this.#candidacy.abort();
    this.#leave();
    this.#channel.close();
  }

  // As one of the tabs

  #join() {
    this.#leave();
    this.#before = this.#session;
    const session = (this.#session = crypto.randomUUID());
    this.#isJoined = false;
    this.#hooks.onStatus("down", "");
    this.#hold(` ${session}`, {}, () => {
      if (this.#isClosed || session !== this.#session) return null;
      const left = new Promise((leave) => (this.#leave = leave));
      this.#isJoined = true;
      this.#say({ type: "join", subscriptions: [...this.#hooks.subscriptions()].map(wording) });
      this.#nudge();
      return left;
    });
  }

  // Some pages (in a sandboxed frame, say) may have no locks.
  #hold(name, options, act) {
    return navigator.locks.request(this.#name + name, options, act).catch((error) => {
      if (error.name !== "AbortError" && !this.#isClosed) this.#hooks.onImpossible();
    });
  }

  /** Tell whoever leads. Before the tab has joined nobody need know: joining says it all. */
  #say(message) {
    const said = { ...message, from: this.#session };
    if (!this.#isJoined) return;
    if (this.#connection) this.#serve(said);
    else this.#channel.postMessage(said);
  }

  #hear(message) {
    if (message.type === "leader") {
      this.#resign(); // its lock was stolen while it slept
      this.#join();
    } else if (message.to) {
      if (message.to === this.#session || (message.to === this.#before && isLastWord(message))) this.#take(message);
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

  // A tab that is looked at lends its timers to a leader in the background, and takes over from one that is silent.
  #nudge() {
    this.#alarms.set("nudge", NUDGE_EVERY, () => this.#nudge());
    if (this.#connection || !this.#isJoined || document.visibilityState !== "visible") return;
    if (!this.#alarms.has("answer")) this.#alarms.set("answer", LEADER_ANSWERS_WITHIN, () => this.#stand(true));
    this.#say({ type: "nudge" });
  }

  // As the leader

  /** Wait until the lock is free, or take it, and lead for as long as it is held. */
  async #stand(steal = false) {
    this.#candidacy?.abort();
    const candidacy = (this.#candidacy = new AbortController());
    const options = steal ? { steal } : { signal: candidacy.signal };
    await this.#hold("", options, () => (this.#isClosed ? null : this.#lead()));
    if (candidacy !== this.#candidacy || this.#isClosed) return;
    this.#resign();
    this.#stand();
  }

  #lead() {
    const end = new Promise((resolve) => {
      this.#resign = () => {
        this.#connection?.close();
        this.#connection = null;
        this.#members.clear();
        resolve();
      };
    });
    this.#status = { type: "status", status: "down", transport: "" };
    this.#connection = new Connection(this.#options, {
      onStatus: (status, transport) => this.#tellAll((this.#status = { type: "status", status, transport })),
      onError: (error) => this.#tellAll({ type: "error", error }),
      onMessage: (name, message) => {
        const [session, id] = name.split(":");
        this.#tell(session, { type: "message", id, message });
      },
    });
    this.#channel.postMessage({ type: "leader" });
    this.#join();
    return end;
  }

  #serve({ type, from, id, subscription, subscriptions, signal, isNetworkNew }) {
    if (type === "join") this.#admit(from, subscriptions);
    else if (!this.#members.has(from)) return;
    else if (type === "add") this.#subscribe(from, subscription);
    else if (type === "remove") this.#connection.remove(`${from}:${id}`);
    else if (type === "signal") this.#connection.signal(signal);
    else if (type === "check") this.#connection.check(isNetworkNew);
    else if (type === "nudge") {
      this.#connection.alarms.ring();
      this.#tell(from, this.#status);
    }
  }

  #admit(session, subscriptions) {
    const connection = this.#connection;
    this.#members.set(session, new Set());
    this.#tell(session, this.#status);
    for (const subscription of subscriptions) this.#subscribe(session, subscription);
    this.#hold(` ${session}`, {}, () => connection === this.#connection && this.#forget(session));
  }

  #subscribe(session, subscription) {
    this.#members.get(session).add(subscription.id);
    this.#connection.add({ ...subscription, id: `${session}:${subscription.id}` });
  }

  #forget(session) {
    for (const id of this.#members.get(session)) this.#connection.remove(`${session}:${id}`);
    this.#members.delete(session);
  }

  #tell(session, message) {
    if (session === this.#session) this.#take(message);
    else if (!this.#isClosed) this.#channel.postMessage({ ...message, to: session });
  }

  #tellAll(message) {
    for (const session of this.#members.keys()) if (session !== this.#session) this.#tell(session, message);
    this.#tell(this.#session, message); // at last: it may be this tab's last
  }
}

// Who leads lets its lock go when it ends for good, and the next may have the lock before it has heard of the end.
function isLastWord({ type, status }) { return type === "error" || status === "closed"; }

// What is none would be refused with everything else in the same address or body.
function isText(value, longest) {
  return typeof value === "string" && value.length <= longest && ![...value].some((one) => one < " ");
}

/**
 * @typedef {object} Subscription What `subscribe` takes, and returns with the `position` up to which the page was told.
 * @property {string} kind What to follow: a kind that the server knows.
 * @property {string} [arg] Of which one: up to 500 characters.
 * @property {string} [position] What came with the data; without it, the subscription begins now.
 * @property {(events: object[]) => void} [onEvents] Apply these, in their order. The position moves on when it returns.
 * @property {() => void} [onResync] What was missed cannot be had: load the data anew.
 * @property {(error: {code: string, message: string}) => void} [onError] The server refused it ("denied", "invalid" or
 *   "limit"), and it stands no more.
 * @property {() => void} unsubscribe End it: nothing of it is told any more.
 */

/**
 * A page's connection. `target` is an EventTarget that dispatches what the callbacks are told, as CustomEvents:
 * `realtime:state` (detail `{state}`), `realtime:events` (`{subscription, events}`), `realtime:resync`
 * (`{subscription}`) and `realtime:error` (`{code, message}`, with `subscription` where it is about one).
 */
class Live {
  target = new EventTarget();
  #options; #link = null; #isAlone;
  #subscriptions = new Map(); #count = 0;
  #pending = new Set(); // ids of those that do not stand since the connection was lost
  #status = "down"; #transport = "";
  #state = ""; #wasLive = false; #isStale = false;
  #alarms = new Alarms(); #listening = new AbortController();

  /** @private */
  constructor(options) {
    this.#options = options;
    this.#isAlone = !options.share || !Share.isPossible();
    queueMicrotask(() => this.#begin()); // when the page has what `connect` returns
  }

  /**
   * "connecting" at first, "live" while all subscriptions stand, "reconnecting" after a loss, "stale" after 30 s without
   * them or while the browser is offline (what is shown may be out of date), "closed" for good.
   */
  get state() { return this.#state || "connecting"; }

  /** "websocket", "sse", "poll", or "" without a connection. */
  get transport() { return this.#transport; }

  /**
   * Follow something.
   * @param {Omit<Subscription, "unsubscribe">} what
   * @returns {Subscription}
   * @throws {TypeError} Where `kind` or `arg` is too long, or holds control characters.
   */
  subscribe({ kind, arg = "", position = "", onEvents, onResync, onError }) {
    if (!isText(kind, LONGEST_KIND) || !kind || !isText(arg, LONGEST_ARG)) {
      throw new TypeError(`A kind is a text of 1 to ${LONGEST_KIND} characters, an arg one of up to ${LONGEST_ARG}.`);
    }
    const id = String((this.#count += 1));
    const subscription = { id, kind, arg, position, onEvents, onResync, onError };
    subscription.unsubscribe = () => this.#unsubscribe(subscription);
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
  signal({ kind, arg = "", name }) { this.#link?.signal({ kind, arg, name }); }

  /** End the connection of this page for good. */
  close() {
    this.#status = "closed";
    this.#transport = "";
    this.#listening.abort();
    this.#alarms.clear();
    this.#exit();
    this.#settle();
  }

  #begin() {
    if (this.#status === "closed") return;
    this.#state = "connecting";
    this.#announce();
    this.#listen();
    this.#enter();
    this.#settle();
  }

  #listen() {
    const { signal } = this.#listening;
    const on = (target, type, act) => target.addEventListener(type, act, { signal });
    const check = (isNetworkNew) => {
      this.#link?.check(isNetworkNew);
      this.#settle();
    };
    on(document, "visibilitychange", () => document.visibilityState === "visible" && check(false));
    on(window, "online", () => check(true));
    on(window, "offline", () => check(false));
    // A page that is frozen, or kept for the Back button, may hold neither a connection nor locks.
    on(window, "pagehide", () => this.#exit());
    on(document, "freeze", () => this.#exit());
    on(window, "pageshow", () => this.#enter());
    on(document, "resume", () => this.#enter());
  }

  #enter() {
    if (this.#link) return;
    this.#alarms.ring();
    this.#link = new (this.#isAlone ? Connection : Share)(this.#options, {
      subscriptions: () => this.#subscriptions.values(),
      onStatus: (status, transport) => this.#take(status, transport),
      onMessage: (id, message) => this.#deliver(id, message),
      onError: (error) => this.#tell(this.#options.onError, error, "error", error),
      onImpossible: () => this.#goAlone(),
    });
  }

  #exit() {
    this.#link?.close();
    this.#link = null;
    this.#take("down", "");
  }

  #goAlone() {
    this.#exit();
    this.#isAlone = true;
    this.#enter();
  }

  #take(status, transport) {
    if (this.#status === "closed") return;
    this.#status = status;
    this.#transport = transport;
    if (status === "down") this.#pending = new Set(this.#subscriptions.keys());
    if (status === "closed") this.close();
    else this.#settle();
  }

  #deliver(id, { type, events, position, code, message }) {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    if (type === "error") this.#refuse(subscription, { code, message });
    else this.#pending.delete(id);
    if (type === "events") this.#tell(subscription.onEvents, events, "events", { subscription, events });
    else if (type === "resync") this.#tell(subscription.onResync, undefined, "resync", { subscription });
    if (position) subscription.position = position; // not before the page has been told
    this.#settle();
  }

  // The connection that is shared may be full of other tabs' subscriptions.
  #refuse(subscription, error) {
    if (error.code === "limit" && !this.#isAlone) {
      this.#goAlone();
      return;
    }
    this.#unsubscribe(subscription);
    this.#tell(subscription.onError, error, "error", { ...error, subscription });
  }

  #unsubscribe({ id }) {
    this.#subscriptions.delete(id);
    this.#pending.delete(id);
    this.#link?.remove(id);
    this.#settle();
  }

  #settle() {
    if (!this.#state && this.#status !== "closed") return; // nothing is told yet
    const isUp = this.#status === "open" && !this.#pending.size;
    if (isUp) {
      this.#wasLive = true;
      this.#isStale = false;
      this.#alarms.clear("stale");
    } else if (this.#status !== "closed" && this.#subscriptions.size && !this.#isStale && !this.#alarms.has("stale")) {
      this.#alarms.set("stale", STALE_AFTER, () => {
        this.#isStale = true;
        this.#settle();
      });
    }
    const before = this.#state;
    if (this.#status === "closed") this.#state = "closed";
    else if (this.#isStale || !navigator.onLine) this.#state = "stale";
    else if (isUp) this.#state = "live";
    else this.#state = this.#wasLive ? "reconnecting" : "connecting";
    if (this.#state !== before) this.#announce();
  }

  #announce() { this.#tell(this.#options.onState, this.#state, "state", { state: this.#state }); }

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
 * Tabs of one origin that name the same `share` have one connection together, and what one user may see is delivered
 * through it to all of them: a `share` names the user ("user-42"), and never stands for several.
 *
 * @param {object} [options]
 * @param {string | URL} [options.url] The server's base address, absolute for pages of other sites. Default: /realtime/
 * @param {() => Promise<string>} [options.token] Gives an access token. Called for each connection, and before a token
 *   ends. Without it, the session's cookie logs in.
 * @param {string} [options.share] One connection for all tabs that name the same. Default: one for this page alone.
 * @param {("websocket" | "sse" | "poll")[]} [options.transports] In the order in which they are tried. Default: all.
 * @param {(state: "connecting" | "live" | "reconnecting" | "stale" | "closed") => void} [options.onState]
 * @param {(error: {code: string | number, message: string}) => void} [options.onError] Of the connection: a number is
 *   the code with which it was closed for good; "token" means that there was none (it is asked for again).
 * @returns {Live}
 * @throws {TypeError} Where a transport is none of the three, or `url` is no address.
 */
export function connect(options = {}) {
  const url = new URL(options.url ?? "/realtime/", location.href);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const { transports = Object.keys(TRANSPORTS) } = options;
  if (!transports.length || !transports.every((name) => Object.hasOwn(TRANSPORTS, name))) {
    throw new TypeError(`Transports are ${Object.keys(TRANSPORTS).join(", ")}, not ${transports.join(", ")}.`);
  }
  return new Live({ ...options, url: url.href, transports });
}
