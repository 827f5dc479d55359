import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Failed, Panel, Skeleton } from "../ui/parts";

interface Described {
  summary?: string;
  tags?: string[];
  "x-right"?: string;
  parameters?: { name: string; in: string; description?: string; schema: unknown }[];
  requestBody?: { content: Record<string, { schema: unknown; example?: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: unknown }> }>;
}
interface Api {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, { properties?: Record<string, unknown> }> };
}

export default function Docs() {
  const api = useQuery({
    queryKey: ["openapi"],
    queryFn: async () => (await (await fetch("/api/openapi.json")).json()) as Api,
  });
  const [text, setText] = useState("");
  const rows = useMemo(
    () =>
      Object.entries(api.data?.paths ?? {}).flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([method, d]) => `${method} ${path} ${d.summary}`.toLowerCase().includes(text.toLowerCase()))
          .map(([method, d]) => ({ path, method, d })),
      ),
    [api.data, text],
  );
  if (api.error) return <Failed error={api.error} />;
  if (!api.data) return <Skeleton />;
  return (
    <>
      <h1>The API</h1>
      <p className="quiet" style={{ margin: 0 }}>
        The same operations, names and rights as zedctl.{" "}
        <a className="link" href="/api/openapi.json">
          openapi.json
        </a>{" "}
        describes it for machines. Programs send <code>Authorization: Bearer TOKEN</code> (zedctl token add NAME --role
        ROLE).
      </p>
      <input
        className="input"
        style={{ width: 280 }}
        type="search"
        data-search
        aria-label="Filter"
        placeholder="Filter"
        value={text}
        onChange={(e) => setText(e.target.value)}
      />
      <Panel>
        {rows.map(({ path, method, d }) => (
          <details key={method + path} style={{ padding: "8px 14px", borderBottom: "1px solid var(--line)" }}>
            <summary>
              <code>{method.toUpperCase()}</code> <code>{path}</code> <span className="quiet">{d.summary}</span>
            </summary>
            <div className="stack small" style={{ padding: "8px 0 8px 16px" }}>
              {d["x-right"] && (
                <span>
                  needs the right to <b>{d["x-right"]}</b>
                </span>
              )}
              {d.parameters && (
                <ul style={{ margin: 0 }}>
                  {d.parameters.map((p) => (
                    <li key={p.name}>
                      <code>{p.name}</code> ({p.in}) <span className="quiet">{p.description}</span>
                    </li>
                  ))}
                </ul>
              )}
              {d.requestBody && (
                <Shape title="request" schema={d.requestBody.content["application/json"]?.schema} api={api.data} />
              )}
              <Example value={d.requestBody?.content["application/json"]?.example} />
              <Shape title="answer" schema={d.responses["200"]?.content?.["application/json"]?.schema} api={api.data} />
            </div>
          </details>
        ))}
      </Panel>
    </>
  );
}

function Example({ value }: { value: unknown }) {
  return value === undefined ? null : (
    <div>
      for example <code>{JSON.stringify(value)}</code>
    </div>
  );
}

function Shape({ title, schema, api }: { title: string; schema: unknown; api: Api }) {
  const ref = (schema as { $ref?: string } | undefined)?.$ref?.split("/").at(-1);
  const shape = ref ? api.components.schemas[ref] : undefined;
  if (!shape) return null;
  return (
    <div>
      {title} <b>{ref}</b>: <code>{Object.keys(shape.properties ?? {}).join(", ") || "nothing"}</code>
    </div>
  );
}
