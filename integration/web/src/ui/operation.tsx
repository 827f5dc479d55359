import { api, type Operation } from "../api/client";
import { ago, duration } from "../model/format";
import { ended, lookOfOperation } from "../model/words";
import { Badge, Button, useNow } from "./parts";
import { useMay } from "./session";
import { toastError } from "./toasts";

// An operation in progress, shown above its server.
export function AtWork({ operation: o }: { operation: Operation }) {
  const now = useNow();
  const may = useMay("operate");
  if (ended(o)) return null;
  const late = o.deadline && Date.parse(o.deadline) < now;
  return (
    <output className={`note ${late ? "warn-edge" : ""}`} style={{ display: "block" }}>
      <div className="row">
        <Badge look={lookOfOperation(o)} />
        <strong>{o.kind}</strong>
        <span>{o.step || "waits for its agent"}</span>
        <span className="quiet">{o.note}</span>
        <span className="grow" />
        <span className="quiet small nowrap">
          by {o.actor}, for {duration(now - Date.parse(o.started_at ?? ""))}
          {o.deadline && `, ends at the latest ${ago(o.deadline, now)}`}
        </span>
        <Button
          why={may ? (o.status === "accepted" ? "" : "its agent is working on it already") : "no right to operate"}
          onClick={() => void api("POST", `/api/operations/${o.id}/cancel`).catch(toastError)}
        >
          Cancel
        </Button>
      </div>
      {o.progress > 0 && (
        <div className="bar" style={{ marginTop: 8 }} role="progressbar" aria-label={o.kind} aria-valuenow={o.progress}>
          <i style={{ width: `${Math.min(100, o.progress)}%` }} />
        </div>
      )}
    </output>
  );
}
