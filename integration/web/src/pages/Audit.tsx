import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { address, api, type Schemas } from "../api/client";
import { Age, Button, Failed, Skeleton } from "../ui/parts";
import { toast, toastError } from "../ui/toasts";

export default function Audit() {
  const [filter, setFilter] = useState({ who: "", verb: "", target: "", result: "" });
  const [before, setBefore] = useState<number[]>([]);
  const page = useQuery({
    queryKey: ["audit", filter, before.at(-1)],
    queryFn: () =>
      api<Schemas["audit_page"]>("GET", "/api/audit", { query: { ...filter, before: before.at(-1), limit: 100 } }),
  });
  const verify = useMutation({
    mutationFn: () => api<Schemas["audit_verdict"]>("GET", "/api/audit/verify"),
    onSuccess: (v) =>
      v.sound
        ? toast(`Sound: records ${v.first} to ${v.last}`, {
            hint: `head ${v.last}:${v.head}; note it outside the manager`,
          })
        : toast(`NOT sound: record ${v.broken_at}`, { hint: v.problem, bad: true }),
    onError: toastError,
  });
  const put = (key: keyof typeof filter, value: string) => {
    setBefore([]);
    setFilter({ ...filter, [key]: value });
  };
  return (
    <>
      <div className="row">
        <h1>Audit</h1>
        <span className="grow" />
        <Button why={verify.isPending ? "verification is in progress" : ""} onClick={() => verify.mutate()}>
          Verify the chain
        </Button>
        <a className="button" href={address("/api/audit", { ...filter, limit: 1000 })} download="audit.json">
          Export
        </a>
      </div>
      <div className="row">
        {(["who", "verb", "target"] as const).map((key) => (
          <input
            key={key}
            className="input"
            style={{ width: 180 }}
            aria-label={key}
            placeholder={{ who: "who: user:ann", verb: "verb: server.", target: "target: pz1" }[key]}
            value={filter[key]}
            onChange={(e) => put(key, e.target.value)}
          />
        ))}
        <select
          className="input"
          style={{ width: 140 }}
          aria-label="Result"
          value={filter.result}
          onChange={(e) => put("result", e.target.value)}
        >
          <option value="">every result</option>
          <option value="ok">ok</option>
          <option value="refused">refused</option>
        </select>
      </div>
      {page.error ? <Failed error={page.error} /> : null}
      {!page.data ? (
        page.error ? null : (
          <Skeleton />
        )
      ) : (
        <div className="panel scroll">
          <table className="table">
            <thead>
              <tr>
                <th>When</th>
                <th>Who</th>
                <th className="wide">From</th>
                <th>Verb</th>
                <th>Target</th>
                <th>Result</th>
              </tr>
            </thead>
            <tbody>
              {page.data.records.map((r) => (
                <tr key={r.seq}>
                  <td className="quiet">
                    <Age time={r.time} />
                  </td>
                  <td>{r.who}</td>
                  <td className="wide quiet">{r.from}</td>
                  <td>{r.verb}</td>
                  <td>{r.target_name || r.target}</td>
                  <td className={r.result === "ok" ? "good" : "bad"}>
                    {r.result}
                    {r.problem && <div className="small">{r.problem}</div>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.data.records.length === 0 && <div className="empty">No matching records.</div>}
        </div>
      )}
      <div className="row">
        {before.length > 0 && <Button onClick={() => setBefore(before.slice(0, -1))}>Newer</Button>}
        {page.data && page.data.next > 0 && (
          <Button onClick={() => setBefore([...before, page.data.next])}>Older</Button>
        )}
      </div>
    </>
  );
}
