import { type FormEvent, useState } from "react";
import { api } from "../api/client";
import { Button, Failed, Field } from "../ui/parts";

function Form({
  title,
  text,
  fields,
  button,
  send,
}: {
  title: string;
  text: string;
  fields: { name: string; label: string; type: string; auto: string; help?: string }[];
  button: string;
  send: (v: Record<string, string>) => Promise<unknown>;
}) {
  const [values, set] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await send(values);
    } catch (x) {
      setError(x);
      setBusy(false);
    }
  };
  return (
    <main className="center">
      <form className="panel" onSubmit={submit}>
        <div className="body stack">
          <h1>{title}</h1>
          <p className="quiet" style={{ margin: 0 }}>
            {text}
          </p>
          {error !== undefined && <Failed error={error} />}
          {fields.map((f, i) => (
            <Field key={f.name} label={f.label} help={f.help}>
              {(id) => (
                <input
                  id={id}
                  className="input"
                  type={f.type}
                  name={f.name}
                  autoComplete={f.auto}
                  // biome-ignore lint/a11y/noAutofocus: there is nothing else on this page
                  autoFocus={i === 0}
                  required
                  value={values[f.name] ?? ""}
                  onChange={(e) => set({ ...values, [f.name]: e.target.value })}
                />
              )}
            </Field>
          ))}
          <Button type="submit" kind="primary" why={busy ? "one moment" : ""}>
            {button}
          </Button>
        </div>
      </form>
    </main>
  );
}

export function SignIn() {
  return (
    <Form
      title="zedops"
      text="Sign in to see and run your servers. The first user gets a link from: zedctl user bootstrap"
      fields={[
        { name: "user", label: "Name", type: "text", auto: "username" },
        { name: "password", label: "Password", type: "password", auto: "current-password" },
      ]}
      button="Sign in"
      send={async (v) => {
        await api("POST", "/api/session", { body: v });
        location.reload();
      }}
    />
  );
}

export function Welcome({ secret }: { secret: string }) {
  return (
    <Form
      title="Welcome"
      text="Choose a password. This link works once."
      fields={[
        {
          name: "password",
          label: "New password",
          type: "password",
          auto: "new-password",
          help: "At least 10 characters; some words in a row make a good one.",
        },
      ]}
      button="Set password and sign in"
      send={async (v) => {
        await api("POST", "/api/session", { body: { link: secret, ...v } });
        location.replace("/servers");
      }}
    />
  );
}
