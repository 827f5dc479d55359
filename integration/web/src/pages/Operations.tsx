import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link } from "wouter";
import { api, type Operation, type Schemas } from "../api/client";
import { useWorld } from "../api/live";
import { duration } from "../model/format";
import { ended, lookOfOperation } from "../model/words";
import { Age, Badge, Button, Failed, Skeleton, useNow } from "../ui/parts";

export function Outcome({ o }: { o: Operation }) {
  return (
    <>
      <Badge look={lookOfOperation(o)} />
      {o.error && <div className="small bad">{o.error.message}</div>}
      {!ended(o) && o.step && <div className="small quiet">{o.step}</div>}
    </>
  );
}

// The first letter of an id tells its kind.
const placeOf = (o: Operation) =>
  o.target.startsWith("v")
    ? `/services/${o.target}`
    : o.target.startsWith("p")
      ? "/projects"
      : `/servers/${o.target}/history`;

export default function Operations() {
  const live = useWorld().operations;
  const now = useNow();
  const [status, setStatus] = useState("");
  const [after, setAfter] = useState<string[]>([]);
  const page = useQuery({
    queryKey: ["operations", status, after.at(-1)],
    queryFn: () =>
      api<Schemas["operation_list"]>("GET", "/api/operations", { query: { status, limit: 100, after: after.at(-1) } }),
  });
  const rows = useMemo(() => {
    const all = new Map((page.data?.operations ?? []).map((o) => [o.id, o]));
    for (const o of live.values()) if ((after.length === 0 && !status) || all.has(o.id)) all.set(o.id, o);
    return [...all.values()].sort(
      (a, b) => Number(ended(a)) - Number(ended(b)) || (b.started_at ?? "").localeCompare(a.started_at ?? ""),
    );
  }, [page.data, live, after.length, status]);
  return (
    <>
      <div className="row">
        <h1>Operations</h1>
        <span className="grow" />
        <select
          className="input"
          style={{ width: 160 }}
          aria-label="Status"
          value={status}
          onChange={(e) => {
            setStatus(e.target.value);
            setAfter([]);
          }}
        >
          <option value="">every status</option>
          {["accepted", "running", "succeeded", "failed", "cancelled"].map((s) => (
            <option key={s}>{s}</option>
          ))}
        </select>
      </div>
      {page.error ? <Failed error={page.error} /> : null}
      {page.isPending ? (
        <Skeleton />
      ) : (
        <div className="panel scroll">
          <table className="table">
            <thead>
              <tr>
                <th>Status</th>
                <th>What</th>
                <th>Server</th>
                <th className="wide">Who</th>
                <th>Started</th>
                <th className="wide">Took</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((o) => (
                <tr key={o.id}>
                  <td>
                    <Outcome o={o} />
                  </td>
                  <td>{o.kind}</td>
                  <td>
                    <Link href={placeOf(o)}>{o.target_name}</Link>
                  </td>
                  <td className="wide quiet">{o.actor}</td>
                  <td className="quiet">
                    <Age time={o.started_at} />
                  </td>
                  <td className="wide quiet">
                    {duration((o.ended_at ? Date.parse(o.ended_at) : now) - Date.parse(o.started_at ?? ""))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {rows.length === 0 && <div className="empty">No operations yet.</div>}
        </div>
      )}
      <div className="row">
        {after.length > 0 && <Button onClick={() => setAfter(after.slice(0, -1))}>Newer</Button>}
        {page.data?.next && <Button onClick={() => setAfter([...after, page.data.next])}>Older</Button>}
      </div>
    </>
  );
}
