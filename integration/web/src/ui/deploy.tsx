// The progress of a deployment.
import type { Deployment } from "../api/deploy";
import { duration } from "../model/format";
import { useNow } from "./parts";

const words = (phase: string) => phase.replaceAll("_", " ");

export function Progress({ d }: { d: Deployment }) {
  return (
    <div>
      <div className="bar" role="progressbar" aria-label={words(d.phase)} aria-valuenow={d.phase_progress}>
        <i style={{ width: `${d.phase_progress}%` }} />
      </div>
      <span className="small quiet">
        {words(d.phase)}
        {d.note && `: ${d.note}`}
      </span>
    </div>
  );
}

const ORDER = [
  "queued",
  "pulling_source",
  "building",
  "copying_files",
  "creating_symlinks",
  "updating_routes",
  "health_check",
  "active",
];

// Every phase with its time; those still to come, and the one in which it failed, if it did.
export function Stepper({ d }: { d: Deployment }) {
  const now = useNow();
  const begun = new Map(d.phases.map((p) => [p.phase as string, p]));
  const failed = begun.get("failed");
  const stopped = failed && d.phase_metadata.ended_in;
  return (
    <ol className="steps">
      {ORDER.map((phase) => {
        const at = begun.get(phase);
        const end = at?.ended_at ? Date.parse(at.ended_at) : now;
        const state = !at ? "ahead" : phase === stopped ? "failed" : at.ended_at ? "done" : "now";
        return (
          <li key={phase} className={state} aria-current={state === "now" ? "step" : undefined}>
            <span aria-hidden="true">{{ ahead: "○", failed: "✖", done: "✓", now: "◌" }[state]}</span> {words(phase)}
            {at?.started_at && phase !== "active" && (
              <span className="small quiet"> {duration(end - Date.parse(at.started_at))}</span>
            )}
          </li>
        );
      })}
    </ol>
  );
}
