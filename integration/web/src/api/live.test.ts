import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Said } from "./stream";

// Without a page: the hook returns the current state at once.
vi.mock("react", () => ({ useSyncExternalStore: (_: unknown, get: () => unknown) => get() }));

class Stream {
  static all: Stream[] = [];
  static CLOSED = 2;
  static get newest() {
    return Stream.all[Stream.all.length - 1] as Stream;
  }
  readyState = 0;
  onopen = () => {};
  onerror = () => {};
  heard = new Map<string, (e: { data: string }) => void>();
  constructor() {
    Stream.all.push(this);
  }
  addEventListener(type: string, to: (e: { data: string }) => void) {
    this.heard.set(type, to);
  }
  close() {}
  begins() {
    this.onopen();
    this.says("welcome", { cursor: "1:1", manager: "m", time: new Date().toISOString() });
  }
  breaks(forGood = false) {
    this.readyState = forGood ? 2 : 0;
    this.onerror();
  }
  says(type: string, data: object) {
    this.heard.get(type)?.({ data: JSON.stringify(data) });
  }
}

const moment = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  Stream.all = [];
  vi.stubGlobal("EventSource", Stream);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("live", () => {
  let status = "running"; // of the server, as the manager has it
  let reads = 0;
  let answers = true;
  const begin = async () => {
    const live = await import("./live");
    live.startLive(["server.status_changed"]);
    return { ...live, shown: () => live.useWorld().servers.get("s1")?.status };
  };
  const server = (revision = 1) => ({ id: "s1", name: "pz1", status, revision });
  const changes = (to: string) => {
    status = to;
  };
  beforeEach(() => {
    reads = 0;
    status = "running";
    answers = true;
    vi.stubGlobal("fetch", async (path: string) => {
      if (!answers) throw new Error("no way there");
      if (path.startsWith("/api/servers")) reads++;
      const text = JSON.stringify({ servers: [server()], agents: [], operations: [], verbs: [] });
      return { ok: true, status: 200, text: async () => text };
    });
  });

  it("reads once, when the stream has begun", async () => {
    const page = await begin();
    await moment(300);
    expect(reads).toBe(0);
    changes("stopped"); // before the stream: no event tells it
    Stream.newest.begins();
    await moment(5_000);
    expect([page.shown(), reads, page.useConnection().state]).toEqual(["stopped", 1, "live"]);
    Stream.newest.says("server.status_changed", { subject: "server.s1", server: { ...server(2), status: "exited" } });
    await moment(1_000);
    expect([page.shown(), reads]).toEqual(["exited", 1]);
  });

  it("shows something when the stream is late, and what happened until it began", async () => {
    const page = await begin();
    await moment(1_500);
    expect([page.shown(), reads, page.useConnection().state]).toEqual(["running", 1, "connecting"]);
    changes("stopped");
    await moment(3_000);
    Stream.newest.begins();
    await moment();
    expect([page.shown(), reads]).toEqual(["stopped", 2]);
  });

  it("does not read again when a stream goes on where it was", async () => {
    await begin();
    Stream.newest.begins();
    await moment(5_000);
    Stream.newest.breaks();
    Stream.newest.begins();
    await moment(5_000);
    expect(reads).toBe(1);
  });

  it("reads again when a stream breaks off before it had a place", async () => {
    const page = await begin();
    Stream.newest.onopen();
    await moment(100);
    Stream.newest.breaks();
    changes("stopped");
    Stream.newest.begins();
    await moment(100);
    expect([page.shown(), reads]).toEqual(["stopped", 2]);
  });

  it("reads again when a stream begins anew after an end", async () => {
    const page = await begin();
    Stream.newest.begins();
    await moment(100);
    Stream.newest.breaks(true);
    await moment(100);
    expect(Stream.all.length).toBe(2);
    changes("stopped");
    Stream.newest.begins();
    await moment(100);
    expect([page.shown(), reads]).toEqual(["stopped", 2]);
  });

  it("tries again when reading fails, and not after the session", async () => {
    const page = await begin();
    answers = false;
    Stream.newest.begins();
    await moment(100);
    answers = true;
    await moment(2_500);
    expect([page.shown(), reads]).toEqual(["running", 1]);
    page.stopLive();
    await moment(10_000);
    expect(reads).toBe(1);
  });
});

describe("worker", () => {
  class Port {
    said: string[] = [];
    onmessage = (_: { data: object }) => {};
    start() {}
    postMessage(s: Said) {
      this.said.push(s.kind === "event" ? s.type : s.kind);
    }
    asks() {
      this.onmessage({ data: { types: [] } });
    }
  }
  const connect = () => {
    const port = new Port();
    (globalThis as unknown as { self: { onconnect(e: object): void } }).self.onconnect({ ports: [port] });
    port.asks();
    return port;
  };
  beforeEach(async () => {
    vi.stubGlobal("self", {});
    await import("./worker");
  });

  it("tells a second tab that the stream is open, and of one stream alone", () => {
    const one = connect();
    const early = connect();
    expect(early.said).toEqual([]);
    Stream.newest.begins();
    const two = connect();
    expect([one.said, early.said, two.said]).toEqual([["open", "welcome"], ["open", "welcome"], ["open"]]);
    expect(Stream.all.length).toBe(1);
  });

  it("does not tell of the end of a stream when there is another one", () => {
    const [one, two] = [connect(), connect()];
    Stream.newest.begins();
    Stream.newest.breaks(true);
    one.asks();
    two.asks();
    expect(Stream.all.length).toBe(2);
    expect([one.said, two.said]).toEqual([
      ["open", "welcome", "ended"],
      ["open", "welcome", "ended"],
    ]);
    Stream.newest.begins();
    expect(two.said.slice(3)).toEqual(["open", "welcome"]);
  });
});
