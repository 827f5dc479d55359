// Requests to the manager. Types are generated from its own description (schema.ts).
import type { components } from "./schema";

export type Schemas = components["schemas"];
export type Server = Schemas["server_view"];
export type Agent = Schemas["agent_view"];
export type Operation = Schemas["operation_view"];
export type Failure = Schemas["error"];

export interface Verb {
  verb: string;
  right: string;
  help: string;
  states?: string[];
  states_text?: string;
  danger?: "none" | "interrupts" | "destroys";
  needs_agent?: boolean;
  done?: string;
}
export interface Session {
  id: string;
  how: string;
  rights: string[];
  grants: { role: string; agent: string; server: string }[];
  manager: string;
  version: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly operation?: string,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | boolean | undefined | null>;
export interface Ask {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

let signedOut: () => void = () => {};
export function onSignedOut(listener: () => void) {
  signedOut = listener;
}

export function address(path: string, query: Query = {}): string {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "" && value !== false) q.set(key, String(value));
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

export async function api<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address(path, ask.query), {
      method,
      signal: ask.signal,
      headers: {
        "X-Zedops": "page",
        ...(ask.body === undefined ? {} : { "Content-Type": "application/json" }),
        ...ask.headers,
      },
      body: ask.body === undefined ? undefined : JSON.stringify(ask.body),
    });
  } catch (e) {
    if (ask.signal?.aborted) throw e;
    throw new ApiError(
      0,
      "unreachable",
      "The manager does not answer.",
      "Check that it is running and that the network is up.",
    );
  }
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ApiError(response.status, "internal", `The answer cannot be read (${response.status}).`, "");
  }
  if (response.ok) return value as T;
  const failure = (value as { error?: Failure }).error;
  if (response.status === 401 && path !== "/api/session") signedOut();
  throw new ApiError(
    response.status,
    failure?.code ?? "internal",
    failure?.message ?? response.statusText,
    failure?.hint ?? "",
    failure?.operation,
  );
}

// All pages of a list.
export async function everyServer(): Promise<Server[]> {
  const out: Server[] = [];
  for (let after = ""; ; ) {
    const page = await api<Schemas["server_list"]>("GET", "/api/servers", { query: { all: 1, limit: 1000, after } });
    out.push(...page.servers);
    if (!page.next) return out;
    after = page.next;
  }
}
