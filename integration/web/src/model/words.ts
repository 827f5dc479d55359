// How states look: a glyph and a word with each colour.
import type { Agent, Operation, Server } from "../api/client";

export type Tone = "good" | "idle" | "warn" | "bad" | "gone" | "busy";
export interface Look {
  glyph: string;
  word: string;
  tone: Tone;
}

export function lookOf(s: Pick<Server, "status" | "data_exists" | "condition" | "health">): Look {
  const has = (c: string) => (s.condition as string[]).includes(c);
  switch (s.status) {
    case "running":
      if (has("restarting")) return { glyph: "↻", word: "restarting", tone: "warn" };
      if (has("paused")) return { glyph: "‖", word: "paused", tone: "idle" };
      if (s.health === "unhealthy") return { glyph: "▲", word: "unhealthy", tone: "warn" };
      if (s.health === "starting") return { glyph: "◐", word: "starting", tone: "busy" };
      return { glyph: "●", word: "running", tone: "good" };
    case "stopped":
      return { glyph: "○", word: "stopped", tone: "idle" };
    case "missing":
      return s.data_exists
        ? { glyph: "▲", word: "missing, data is there", tone: "warn" }
        : { glyph: "✖", word: "missing, no data", tone: "bad" };
    case "failed":
      return { glyph: "✖", word: "failed", tone: "bad" };
    case "deleted":
      return { glyph: "⌫", word: "deleted", tone: "gone" };
    case "creating":
      return { glyph: "◌", word: "creating", tone: "busy" };
    case "deleting":
      return { glyph: "◌", word: "deleting", tone: "gone" };
    default:
      return { glyph: "·", word: s.status, tone: "idle" };
  }
}

export function lookOfAgent(a: Pick<Agent, "status" | "engine_ok">): Look {
  if (a.status === "online")
    return a.engine_ok
      ? { glyph: "●", word: "online", tone: "good" }
      : { glyph: "▲", word: "online, no Engine", tone: "bad" };
  if (a.status === "suspect") return { glyph: "◐", word: "suspect", tone: "warn" };
  if (a.status === "unreachable") return { glyph: "✖", word: "unreachable", tone: "bad" };
  return { glyph: "○", word: a.status, tone: "idle" };
}

export function lookOfOperation(o: Pick<Operation, "status">): Look {
  if (o.status === "succeeded") return { glyph: "✓", word: "succeeded", tone: "good" };
  if (o.status === "failed") return { glyph: "✖", word: "failed", tone: "bad" };
  if (o.status === "cancelled") return { glyph: "○", word: "cancelled", tone: "idle" };
  return { glyph: "◌", word: o.status, tone: "busy" };
}

export function lookOfHealth(health: string): Look {
  if (health === "healthy") return { glyph: "●", word: "healthy", tone: "good" };
  if (health === "degraded") return { glyph: "▲", word: "degraded", tone: "warn" };
  if (health === "unhealthy") return { glyph: "✖", word: "unhealthy", tone: "bad" };
  return { glyph: "·", word: "unknown", tone: "idle" };
}

export function lookOfDeployment(d: { status: string; current: boolean }): Look {
  switch (d.status) {
    case "success":
      return { glyph: "✓", word: "success", tone: "good" };
    case "failed":
      return { glyph: "✖", word: "failed", tone: "bad" };
    case "cancelled":
      return { glyph: "○", word: "cancelled", tone: "idle" };
    default:
      return { glyph: "◌", word: d.status, tone: "busy" };
  }
}

export const ended = (o: Pick<Operation, "status">) =>
  o.status === "succeeded" || o.status === "failed" || o.status === "cancelled";

// Why it needs attention; empty: it does not.
export function trouble(s: Server): string {
  if (s.status === "failed") return s.last_error?.message ?? "it failed";
  if (s.status === "missing")
    return s.data_exists ? "its container is gone, its data is still there" : "container and data are gone";
  if ((s.condition as string[]).includes("restarting")) return `it keeps crashing (${s.restarts} restarts)`;
  if (s.status === "running" && s.health === "unhealthy") return "its health check fails";
  if (s.data_problem) return s.data_problem;
  return "";
}
