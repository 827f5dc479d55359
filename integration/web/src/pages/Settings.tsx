import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { api, type Schemas } from "../api/client";
import { Ask } from "../ui/dialogs";
import { Age, Button, Copy, Failed, Field, Panel, Skeleton } from "../ui/parts";
import { useMay, useSigned } from "../ui/session";
import { applyTheme, type Theme, theme } from "../ui/theme";
import { toast, toastError } from "../ui/toasts";

const ROLES = ["viewer", "operator", "admin"];

export default function Settings() {
  const admin = useMay("administer");
  const { session } = useSigned();
  const [look, setLook] = useState<Theme>(theme());
  return (
    <>
      <h1>Settings</h1>
      <Panel title="Yours">
        <div className="body row">
          <span className="grow">
            Signed in as <b>{session.id}</b>,{" "}
            {session.grants.map((g) => g.role + (g.server || g.agent ? " (limited)" : "")).join(", ")}
          </span>
          <label className="row">
            Theme
            <select
              className="input"
              style={{ width: 130 }}
              value={look}
              onChange={(e) => {
                const t = e.target.value as Theme;
                setLook(t);
                applyTheme(t);
              }}
            >
              <option value="system">system</option>
              <option value="light">light</option>
              <option value="dark">dark</option>
            </select>
          </label>
        </div>
      </Panel>
      {admin && <Users />}
      {admin && <Tokens />}
      {admin && <Keys />}
      {admin && <LogLevel />}
    </>
  );
}

// A secret that is shown only once.
function Secret({ text, note }: { text: string; note: string }) {
  return (
    <output className="note" style={{ display: "block" }}>
      {note}
      <div className="row">
        <code className="grow">{text}</code> <Copy text={text} />
      </div>
    </output>
  );
}

function Adder({ word, onAdd }: { word: string; onAdd: (name: string, role: string) => Promise<void> }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  return (
    <form
      className="row"
      style={{ alignItems: "end" }}
      onSubmit={(e) => {
        e.preventDefault();
        void onAdd(name, role)
          .then(() => setName(""))
          .catch(toastError);
      }}
    >
      <Field label={`New ${word}`}>
        {(id) => (
          <input
            id={id}
            className="input"
            required
            value={name}
            placeholder="name"
            onChange={(e) => setName(e.target.value)}
          />
        )}
      </Field>
      <Field label="Role">
        {(id) => (
          <select id={id} className="input" value={role} onChange={(e) => setRole(e.target.value)}>
            {ROLES.map((r) => (
              <option key={r}>{r}</option>
            ))}
          </select>
        )}
      </Field>
      <Button type="submit">Add</Button>
    </form>
  );
}

function List<T>({
  query,
  rows,
  empty,
}: {
  query: { data?: T; error: unknown };
  rows: (d: T) => ReactNode[];
  empty: string;
}) {
  if (query.error) return <Failed error={query.error} />;
  if (!query.data) return <Skeleton lines={2} />;
  const all = rows(query.data);
  return all.length ? (
    <div className="scroll">
      <table className="table">
        <tbody>{all}</tbody>
      </table>
    </div>
  ) : (
    <span className="quiet">{empty}</span>
  );
}

const whereOf = (r: { agent: string; server: string }) =>
  r.server ? `server ${r.server}` : r.agent ? `agent ${r.agent}` : "everywhere";

function Remove({ what, note, path, then }: { what: string; note: string; path: string; then: () => unknown }) {
  const [asked, ask] = useState(false);
  const remove = () => {
    ask(false);
    void api("DELETE", path).then(then).catch(toastError);
  };
  return (
    <>
      <Button kind="danger" aria-label={`Remove ${what}`} onClick={() => ask(true)}>
        Remove
      </Button>
      {asked && (
        <Ask
          title={`Remove ${what}?`}
          onClose={() => ask(false)}
          buttons={
            <Button kind="danger primary" onClick={remove}>
              Remove
            </Button>
          }
        >
          <p style={{ margin: 0 }}>{note}</p>
        </Ask>
      )}
    </>
  );
}

function Users() {
  const client = useQueryClient();
  const users = useQuery({ queryKey: ["users"], queryFn: () => api<Schemas["user_list"]>("GET", "/api/users") });
  const [link, setLink] = useState<Schemas["user_link"]>();
  const fresh = () => client.invalidateQueries({ queryKey: ["users"] });
  const linked = async (ask: Promise<Schemas["user_link"]>) => {
    const r = await ask;
    setLink(r.link ? r : undefined);
    if (!r.link) toast(`${r.user.name} is ${r.user.role} now.`);
    await fresh();
  };
  return (
    <Panel title="Users">
      <div className="body stack">
        <List
          query={users}
          empty="No users yet."
          rows={(d) =>
            d.users.map((u) => (
              <tr key={u.name}>
                <td>
                  <b>{u.name}</b>
                </td>
                <td>{u.role}</td>
                <td className="quiet wide">{whereOf(u)}</td>
                <td className="quiet">{u.has_password ? "" : "has not used the link yet"}</td>
                <td className="right nowrap">
                  <Button
                    onClick={() =>
                      void linked(api("POST", `/api/users/${u.name}/passwd`, { body: {} })).catch(toastError)
                    }
                  >
                    New link
                  </Button>{" "}
                  <Remove
                    what={`the user ${u.name}`}
                    note="The user is signed out at once."
                    path={`/api/users/${u.name}`}
                    then={fresh}
                  />
                </td>
              </tr>
            ))
          }
        />
        {link && (
          <Secret
            text={link.link}
            note={`With this link ${link.user.name} chooses a password; it works once, within a day.`}
          />
        )}
        <Adder word="user" onAdd={(name, role) => linked(api("POST", "/api/users", { body: { name, role } }))} />
      </div>
    </Panel>
  );
}

function Tokens() {
  const client = useQueryClient();
  const tokens = useQuery({ queryKey: ["tokens"], queryFn: () => api<Schemas["token_list"]>("GET", "/api/tokens") });
  const [made, setMade] = useState<Schemas["token_made"]>();
  const fresh = () => client.invalidateQueries({ queryKey: ["tokens"] });
  return (
    <Panel title="Tokens of programs">
      <div className="body stack">
        <List
          query={tokens}
          empty="No tokens yet."
          rows={(d) =>
            d.tokens.map((t) => (
              <tr key={t.name}>
                <td>
                  <b>{t.name}</b>
                </td>
                <td>{t.role}</td>
                <td className="quiet wide">{whereOf(t)}</td>
                <td className="quiet">
                  since <Age time={t.created_at} />, used <Age time={t.used_at} />
                  {t.expires_at && (
                    <>
                      , expires <Age time={t.expires_at} />
                    </>
                  )}
                </td>
                <td className="right">
                  <Remove
                    what={`the token ${t.name}`}
                    note="Programs that use it are refused from now on."
                    path={`/api/tokens/${t.name}`}
                    then={fresh}
                  />
                </td>
              </tr>
            ))
          }
        />
        {made && (
          <Secret
            text={made.secret}
            note={`The secret of ${made.token.name}, shown only once. Send it as Authorization: Bearer …`}
          />
        )}
        <Adder
          word="token"
          onAdd={async (name, role) => {
            setMade(await api("POST", "/api/tokens", { body: { name, role } }));
            await fresh();
          }}
        />
      </div>
    </Panel>
  );
}

function Keys() {
  const keys = useQuery({ queryKey: ["keys"], queryFn: () => api<Schemas["key_list"]>("GET", "/api/keys") });
  return (
    <Panel title="Keys of agents and clients">
      <div className="body stack">
        <List
          query={keys}
          empty="No keys: nothing connects by ZeroMQ over a network. Add one: zedctl key add, zedctl agent token"
          rows={(d) =>
            d.keys.map((k) => (
              <tr key={k.name + k.role + k.agent + k.server}>
                <td>
                  <b>{k.name}</b>
                </td>
                <td>{k.role}</td>
                <td className="quiet wide">{whereOf(k)}</td>
                <td className="quiet mono">{k.fingerprint}</td>
              </tr>
            ))
          }
        />
      </div>
    </Panel>
  );
}

function LogLevel() {
  return (
    <Panel title="The manager's log">
      <div className="body row">
        <span className="grow quiet">The lowest level that is written, until the manager's next start.</span>
        {["debug", "info", "warn"].map((level) => (
          <Button
            key={level}
            onClick={() =>
              void api("POST", "/api/manager/log-level", { body: { level } })
                .then(() => toast(`The manager logs ${level} and above.`))
                .catch(toastError)
            }
          >
            {level}
          </Button>
        ))}
      </div>
    </Panel>
  );
}
