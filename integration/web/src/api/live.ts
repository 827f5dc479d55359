// The page's copy of the manager's state: read when the events have begun, then kept up to date by them. Only figures
// are polled: usage.ts, metrics.ts.
import { useSyncExternalStore } from "react";
import { apply, type LiveEvent, loaded, nothing, type World } from "../model/world";
import { type Agent, api, everyServer, type Schemas } from "./client";
import { follow, type Said } from "./stream";

export interface Connection {
  state: "connecting" | "live" | "lost";
  heard: number; // time of the last message, by this machine's clock
}

const BATCH_MS = 50; // events in between are shown together
const REST = 4; // this many times the time it took to show them is left for everything else
const SILENT_MS = 13_000; // the manager sends something every five seconds
const SLOW_MS = 1_000; // without events for this long, something is shown before they begin

let world = nothing;
let connection: Connection = { state: "connecting", heard: Date.now() };
let offset = 0; // of the manager's clock
let waiting: LiveEvent[] = [];
let early: LiveEvent[] | undefined; // events that came while the state is being read
let outdated = false; // the read in progress may have a gap: it is repeated
let timer: ReturnType<typeof setTimeout> | undefined;
let manager = "";
let begun = false; // this stream has been open
let placed = false; // and has a place: after an interruption it continues from there
let later: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();
const eventListeners = new Set<(e: LiveEvent) => void>();

function changed() {
  for (const l of listeners) l();
}
function connected(state: Connection["state"], heard = connection.heard) {
  if (state === connection.state && heard - connection.heard < 500) return;
  connection = { state, heard };
  changed();
}

function readIn(ms: number) {
  clearTimeout(later);
  later = setTimeout(read, ms);
}

async function read() {
  clearTimeout(later);
  if (early) {
    outdated = true;
    return;
  }
  early = [];
  outdated = false;
  try {
    const [servers, agents, open] = await Promise.all([
      everyServer(),
      api<{ agents: Agent[] }>("GET", "/api/agents"),
      api<Schemas["operation_list"]>("GET", "/api/operations", { query: { limit: 100 } }).catch(() => ({
        operations: [],
      })),
    ]);
    world = loaded(servers, agents.agents, open.operations.reverse(), early);
    early = undefined;
    changed();
    if (outdated) void read();
  } catch {
    early = undefined;
    if (stop) readIn(2_000);
  }
}

let pause = BATCH_MS;
function show() {
  const began = performance.now();
  world = apply(world, waiting);
  waiting = [];
  changed();
  // The rendering that follows from it is done by the next free moment.
  setTimeout(() => {
    pause = Math.min(1_000, Math.max(BATCH_MS, REST * (performance.now() - began)));
    timer = waiting.length > 0 ? setTimeout(show, pause) : undefined;
  });
}

function take(e: LiveEvent) {
  if (early) early.push(e);
  waiting.push(e);
  for (const l of eventListeners) l(e);
  timer ??= setTimeout(show, pause);
}

function hear(s: Said, ended: () => void) {
  if (s.kind === "open") {
    // What happened before is in no event, and may be missing from an earlier read.
    if (!begun || !placed) void read();
    begun = true;
    return connected("live", Date.now());
  }
  if (s.kind === "lost") return connected("lost");
  if (s.kind === "ended") {
    connected("lost");
    return ended();
  }
  placed = true;
  const data = JSON.parse(s.data) as Record<string, string>;
  if (s.type === "welcome" || s.type === "beat") {
    if (data.time) offset = Date.parse(data.time) - Date.now();
    if (s.type === "welcome" && manager && data.manager !== manager) void read();
    if (data.manager) manager = data.manager;
  } else if (s.type === "gap") void read();
  else take(data as unknown as LiveEvent);
  connected("live", Date.now());
}

let stop: (() => void) | undefined;

// A page restored from the browser's cache has missed events.
function shownAgain(e: PageTransitionEvent) {
  if (e.persisted) location.reload();
}

export function startLive(types: string[]) {
  if (stop) return;
  begun = placed = false;
  const again = () => {
    stop?.();
    stop = undefined;
    // Either the session is over, which reading shows, or the manager was away for a moment.
    api("GET", "/api/verbs")
      .then(() => startLive(types))
      .catch(() => setTimeout(() => startLive(types), 2_000));
  };
  const tell = (s: Said) => hear(s, again);
  if (typeof SharedWorker === "undefined") stop = follow("/api/events?record=1", types, tell);
  else {
    const shared = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "zedops" });
    shared.port.onmessage = (m: MessageEvent<Said>) => tell(m.data);
    shared.port.start();
    shared.port.postMessage({ types });
    const bye = () => shared.port.postMessage({ bye: true });
    addEventListener("pagehide", bye);
    addEventListener("pageshow", shownAgain);
    stop = () => {
      removeEventListener("pagehide", bye);
      removeEventListener("pageshow", shownAgain);
      bye();
    };
  }
  readIn(SLOW_MS);
}

export function stopLive() {
  stop?.();
  stop = undefined;
  clearTimeout(later);
  world = nothing;
  manager = "";
  changed();
}

setInterval(() => {
  if (connection.state === "live" && Date.now() - connection.heard > SILENT_MS) connected("lost");
  else if (connection.state === "lost") changed();
}, 1_000);

function subscribe(l: () => void) {
  listeners.add(l);
  return () => listeners.delete(l);
}
export const useWorld = (): World => useSyncExternalStore(subscribe, () => world);
export const useConnection = (): Connection => useSyncExternalStore(subscribe, () => connection);
export function onEvent(l: (e: LiveEvent) => void) {
  eventListeners.add(l);
  return () => void eventListeners.delete(l);
}
// The manager's time.
export const now = () => Date.now() + offset;
