import { useEffect, useState } from "react";
import { api, type Schemas } from "./client";

export type Usage = Schemas["usage_reply"];

export const SHOWN_MS = 5 * 60_000; // the time span drawn beside a row
const SETTLED_MS = 400; // rows that are only scrolled past are not requested
const AGAIN_MS = 15_000;
const AT_ONCE = 4;

// The usage of the servers on the screen. Requested once they have stayed there for a moment, and again while they do.
export function useShownUsage(ids: string[]): ReadonlyMap<string, Usage> {
  const [known, setKnown] = useState<ReadonlyMap<string, Usage>>(new Map());
  const shown = ids.join(" ");
  useEffect(() => {
    if (!shown) return;
    const stop = new AbortController();
    const ask = async () => {
      if (document.hidden) return;
      const todo = shown.split(" ");
      const fresh = new Map<string, Usage>();
      const one = async () => {
        for (let id = todo.pop(); id; id = todo.pop()) {
          const query = { last: `${SHOWN_MS}ms` };
          const u = await api<Usage>("GET", `/api/servers/${id}/usage`, { query, signal: stop.signal }).catch(
            () => undefined,
          );
          if (u) fresh.set(id, u);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      if (!stop.signal.aborted) setKnown(fresh);
    };
    const first = setTimeout(ask, SETTLED_MS);
    const again = setInterval(ask, AGAIN_MS);
    return () => {
      stop.abort();
      clearTimeout(first);
      clearInterval(again);
    };
  }, [shown]);
  return known;
}
