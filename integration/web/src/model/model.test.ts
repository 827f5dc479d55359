import { describe, expect, it } from "vitest";
import type { Agent, Schemas, Server, Session, Verb } from "../api/client";
import { actionsOf } from "./actions";
import { plainOf, spansOf } from "./ansi";
import { ago, bytes, duration, ports } from "./format";
import { parse, quantile } from "./metrics";
import { series, spark } from "./usage";
import { lookOf, trouble } from "./words";
import { apply, loaded, nothing } from "./world";

const server = (more: Partial<Server> = {}): Server =>
  ({
    id: "s1",
    name: "pz1",
    status: "running",
    data_exists: true,
    condition: ["ok"],
    health: "none",
    revision: 1,
    ports: [],
    operation: null,
    agent_id: "a1",
    ...more,
  }) as unknown as Server;
const agent = { id: "a1", name: "host1", status: "online", engine_ok: true } as unknown as Agent;
const session = (rights: string[]): Session => ({
  id: "user:ann",
  how: "session",
  rights,
  grants: [],
  manager: "m",
  version: "0",
});
const verb = (word: string, states: string[], more: Partial<Verb> = {}): Verb => ({
  verb: `server.${word}`,
  right: word === "purge" ? "purge" : "operate",
  help: word,
  states,
  states_text: states.join(" or "),
  danger: "none",
  needs_agent: true,
  ...more,
});
const VERBS = [
  verb("start", ["stopped", "missing", "failed"]),
  verb("stop", ["running"]),
  verb("restart", ["running"]),
  verb("rebuild", ["running", "stopped"]),
  verb("recreate", ["running", "stopped", "missing", "failed"]),
  verb("rm", ["running", "stopped", "missing", "failed"]),
  verb("restore", ["deleted"]),
  verb("purge", ["running", "stopped", "missing", "failed", "deleted"]),
];
const first = (s: Server, rights = ["operate", "purge"]) => actionsOf(s, agent, VERBS, session(rights)).first;

describe("buttons", () => {
  it("are those of each state", () => {
    const words = (s: Partial<Server>) => first(server(s)).map((a) => a.verb);
    expect(words({ status: "running" })).toEqual(["stop", "restart", "rebuild", "rm"]);
    expect(words({ status: "stopped" })).toEqual(["start", "rm"]);
    expect(words({ status: "missing" })).toEqual(["start", "recreate", "stop", "restart", "purge"]);
    expect(words({ status: "deleted" })).toEqual(["restore", "purge"]);
    expect(words({ status: "creating" })).toEqual([]);
  });
  it("say why they cannot be pressed", () => {
    const why = (s: Partial<Server>, word: string, rights?: string[]) =>
      first(server(s), rights).find((a) => a.verb === word)?.why;
    expect(why({ status: "missing" }, "stop")).toBe("only when it is running");
    expect(why({ status: "missing" }, "start")).toBe("");
    expect(why({ status: "missing", data_exists: false }, "start")).toMatch(/no data/);
    expect(why({ status: "running" }, "stop", [])).toMatch(/right to operate/);
    expect(why({ operation: { kind: "rebuild", status: "running" } as never }, "stop")).toBe("rebuild is in progress");
    const away = { ...agent, status: "unreachable" } as Agent;
    expect(actionsOf(server(), away, VERBS, session(["operate"])).first[0]?.why).toBe("host1 is unreachable");
  });
});

describe("states", () => {
  it("have a glyph, a word and a tone each", () => {
    const tone = (s: Partial<Server>) => lookOf(server(s)).tone;
    expect(tone({})).toBe("good");
    expect(tone({ status: "stopped" })).toBe("idle");
    expect(tone({ status: "missing" })).toBe("warn");
    expect(tone({ status: "missing", data_exists: false })).toBe("bad");
    expect(tone({ status: "deleted" })).toBe("gone");
    expect(tone({ status: "failed" })).toBe("bad");
    expect(trouble(server())).toBe("");
    expect(trouble(server({ status: "stopped", health: "unhealthy" }))).toBe("");
    expect(trouble(server({ health: "unhealthy" }))).not.toBe("");
  });
});

describe("the world", () => {
  it("follows events, and never goes back to an older record", () => {
    let w = loaded([server({ revision: 5 })], [agent], [], []);
    w = apply(w, [{ type: "x", subject: "server.s1", server: server({ revision: 4, status: "stopped" }) }]);
    expect(w.servers.get("s1")?.status).toBe("running");
    w = apply(w, [{ type: "x", subject: "server.s1", server: server({ revision: 6, status: "stopped" }) }]);
    expect(w.servers.get("s1")?.status).toBe("stopped");
    w = apply(w, [{ type: "server.purged", subject: "server.s1", server: null }]);
    expect(w.servers.size).toBe(0);
    expect(apply(nothing, [])).toBe(nothing);
  });
  it("keeps a thousand events in one step, and not every operation for ever", () => {
    const events = Array.from({ length: 1_000 }, (_, i) => ({
      type: "operation.ended",
      subject: `operation.o${i}`,
      operation: { id: `o${i}`, status: "succeeded" } as never,
    }));
    expect(apply(nothing, events).operations.size).toBe(200);
  });
});

describe("numbers and times", () => {
  it("are what people read", () => {
    expect(bytes(null)).toBe("unknown");
    expect(bytes(0)).toBe("0 B");
    expect(bytes(4_509_715_660)).toBe("4.2 GiB");
    expect(duration(90_000)).toBe("1 min");
    expect(ago("2026-01-01T00:00:00Z", Date.parse("2026-01-01T02:00:00Z"))).toBe("2 h ago");
    expect(ago("2026-01-02T00:00:00Z", Date.parse("2026-01-01T00:00:00Z"))).toBe("in 1 d");
    expect(
      ports([
        { number: 2, proto: "udp" },
        { number: 1, proto: "udp" },
        { number: 9, proto: "tcp" },
      ]),
    ).toBe("1–2/udp, 9/tcp");
  });
});

describe("log lines", () => {
  it("keep colours and nothing else of a terminal", () => {
    const line = "\u001b[31mred\u001b[0m \u001b[2J\u001b]0;title\u0007plain\u0000\n";
    expect(plainOf(line)).toBe("red plain");
    expect(
      spansOf(line)
        .map((s) => s.text)
        .join(""),
    ).toBe("red plain");
    expect(spansOf(line)[0]?.style.color).toBeTruthy();
    expect(spansOf(line).at(-1)?.style.color).toBeUndefined();
  });
});

describe("metrics", () => {
  it("are read, with quantiles of histograms", () => {
    const m = parse('# HELP x y\nx_bucket{le="0.1"} 5\nx_bucket{le="1"} 9\nx_bucket{le="+Inf"} 10\ny{a="b\\"c"} 2\n');
    expect(quantile(m, "x", 0.5)).toBe(0.1);
    expect(quantile(m, "x", 0.9)).toBe(1);
    expect(quantile(m, "x", 0.99)).toBe(Number.POSITIVE_INFINITY);
    expect(quantile(m, "z", 0.5)).toBeUndefined();
    expect(m.at(-1)?.labels.a).toBe('b"c');
  });
});

describe("usage", () => {
  const used = { cpu_millis: 5 } as Schemas["usage_sample"];
  const at = (s: number) => new Date(s * 1000).toISOString();
  it("is a line, with a gap where nothing was told", () => {
    const points = [0, 15, 30, 90, 105].map((s) => ({ at: at(s), used }));
    expect(series(points, 15_000, ["cpu_millis"])).toEqual([
      [0, 15, 30, 45, 90, 105],
      [5, 5, 5, null, 5, 5],
    ]);
  });
  it("is a small line beside a row, begun anew behind a gap", () => {
    const points = [0, 15, 90].map((s) => ({ at: at(s), used }));
    expect(spark(points, 15_000, "cpu_millis", 100_000, 100_000, 100, 10)).toBe("M0.0 0.0L15.0 0.0M90.0 0.0");
    expect(spark([], 15_000, "cpu_millis", 0, 1, 10, 10)).toBe("");
  });
  it("is nothing when nothing was told", () => {
    expect(series([], 15_000, ["cpu_millis", "sent"])).toEqual([[], [], []]);
  });
});
