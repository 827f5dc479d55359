// One stream of events for all tabs of a browser: in a SharedWorker where there is one, else in the page itself.
export type Said =
  | { kind: "open" }
  | { kind: "lost" } // reconnects by itself
  | { kind: "ended" } // refused: the session has ended, most likely
  | { kind: "event"; type: string; data: string };

const TYPES = ["welcome", "beat", "gap"];

export function follow(url: string, types: string[], tell: (s: Said) => void): () => void {
  const source = new EventSource(url);
  source.onopen = () => tell({ kind: "open" });
  source.onerror = () => tell({ kind: source.readyState === EventSource.CLOSED ? "ended" : "lost" });
  for (const type of [...TYPES, ...types])
    source.addEventListener(type, (e) => tell({ kind: "event", type, data: (e as MessageEvent<string>).data }));
  return () => source.close();
}
