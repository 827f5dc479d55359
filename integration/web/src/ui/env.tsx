import { useState } from "react";
import { Button } from "./parts";
import type { Template } from "./templates";

export type Env = Record<string, string>;
const HIDDEN = "***";

// Keys and values of a server, with the rules of its template.
export function EnvTable({
  value,
  onChange,
  template,
  immutable = false,
}: {
  value: Env;
  onChange: (v: Env) => void;
  template?: Template;
  immutable?: boolean;
}) {
  const [key, setKey] = useState("");
  const keys = [...new Set([...(template?.env_required ?? []), ...Object.keys(value)])].sort();
  const put = (k: string, v: string | undefined) => {
    const next = { ...value };
    if (v === undefined) delete next[k];
    else next[k] = v;
    onChange(next);
  };
  const offered = Object.keys(template?.env ?? {}).filter((k) => !(k in value));
  return (
    <table className="table">
      <tbody>
        {keys.map((k) => {
          const secret = template?.env_secret.includes(k);
          const fixed = immutable && template?.env_immutable.includes(k) && k in value;
          const needed = template?.env_required.includes(k);
          return (
            <tr key={k}>
              <td style={{ width: "34%" }}>
                <code>{k}</code> {needed && <span className="small quiet">required</span>}{" "}
                {secret && <span className="small quiet">secret</span>}
              </td>
              <td>
                <input
                  className="input mono"
                  aria-label={k}
                  type={secret ? "password" : "text"}
                  autoComplete="off"
                  readOnly={fixed}
                  title={fixed ? "its first value cannot be changed" : undefined}
                  value={secret && value[k] === HIDDEN ? "" : (value[k] ?? "")}
                  placeholder={secret && value[k] ? "unchanged" : (template?.env[k] ?? "")}
                  onChange={(e) => put(k, e.target.value)}
                />
              </td>
              <td style={{ width: 40 }}>
                {!fixed && !needed && (
                  <Button kind="bare" aria-label={`Remove ${k}`} onClick={() => put(k, undefined)}>
                    ✕
                  </Button>
                )}
              </td>
            </tr>
          );
        })}
        <tr>
          <td>
            <input
              className="input mono"
              aria-label="New key"
              placeholder="NEW_KEY"
              list="env-offered"
              value={key}
              onChange={(e) => setKey(e.target.value)}
            />
            <datalist id="env-offered">
              {offered.map((k) => (
                <option key={k}>{k}</option>
              ))}
            </datalist>
          </td>
          <td colSpan={2}>
            <Button
              why={key ? (key in value ? "this key exists already" : "") : "enter a key first"}
              onClick={() => {
                put(key, template?.env[key] ?? "");
                setKey("");
              }}
            >
              Add
            </Button>
          </td>
        </tr>
      </tbody>
    </table>
  );
}
