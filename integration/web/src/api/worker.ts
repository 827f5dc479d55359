import { follow, type Said } from "./stream";

declare const self: SharedWorkerGlobalScope;

const ports = new Set<MessagePort>();
let stop: (() => void) | undefined;
let last: Said | undefined; // state of the current stream, for a tab that is opened later

function tellAll(s: Said) {
  if (s.kind !== "event") last = s;
  if (s.kind === "ended") stop = last = undefined;
  for (const p of ports) p.postMessage(s);
}

self.onconnect = (e) => {
  const port = e.ports[0];
  if (!port) return;
  ports.add(port);
  port.onmessage = (m: MessageEvent<{ types?: string[]; bye?: boolean }>) => {
    if (m.data.bye) {
      ports.delete(port);
      if (ports.size === 0) {
        stop?.();
        stop = undefined;
        last = undefined;
      }
    } else if (m.data.types) {
      if (!stop) stop = follow("/api/events?record=1", m.data.types, tellAll);
      else if (last) port.postMessage(last);
    }
  };
  port.start();
};
