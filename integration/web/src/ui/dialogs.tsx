// Questions before something is stopped, deleted or destroyed: the verb is on the button, and Cancel has the focus.
import { Dialog } from "radix-ui";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { api, type Schemas, type Server } from "../api/client";
import { absolute, bytes, ports } from "../model/format";
import { Button, Facts, Field } from "./parts";

export function Ask({
  title,
  children,
  buttons,
  onClose,
}: {
  title: string;
  children: ReactNode;
  buttons: ReactNode;
  onClose: () => void;
}) {
  const cancel = useRef<HTMLButtonElement>(null);
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content
          className="dialog"
          aria-describedby={undefined}
          onOpenAutoFocus={(e) => {
            e.preventDefault();
            cancel.current?.focus();
          }}
        >
          <Dialog.Title asChild>
            <h2>{title}</h2>
          </Dialog.Title>
          {children}
          <div className="foot">
            <button type="button" ref={cancel} className="button" onClick={onClose}>
              Cancel
            </button>
            {buttons}
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

// Sizes are measured now, so that the dialog shows what will really be destroyed.
function useData(s: Server) {
  const [row, set] = useState<Schemas["data_reply"]["servers"][number]>();
  useEffect(() => {
    const gone = new AbortController();
    api<Schemas["data_reply"]>("POST", `/api/servers/${s.id}/check-data`, {
      body: { sizes: true },
      signal: gone.signal,
    })
      .then((r) => set(r.servers[0]))
      .catch(() => {});
    return () => gone.abort();
  }, [s.id]);
  return row;
}

const dataText = (s: Server, row: ReturnType<typeof useData>) => {
  const state = row?.state ?? s.data_state;
  const size = row?.bytes ?? s.data_bytes;
  return `${state === "present" ? bytes(size) : state} in ${s.server_data_path}`;
};

interface Choice {
  server: Server;
  onClose: () => void;
  onDone: (query?: Record<string, boolean>) => void;
}

export function ConfirmInterrupt({ server, label, help, onClose, onDone }: Choice & { label: string; help: string }) {
  return (
    <Ask
      title={`${label} ${server.name}?`}
      onClose={onClose}
      buttons={
        <Button kind="primary" onClick={() => onDone()}>
          {label}
        </Button>
      }
    >
      <p style={{ margin: 0 }}>{help}. Players on it are disconnected.</p>
    </Ask>
  );
}

export function ConfirmDelete({ server, onClose, onDone }: Choice) {
  const data = useData(server);
  return (
    <Ask
      title={`Delete ${server.name}?`}
      onClose={onClose}
      buttons={
        <Button kind="danger primary" onClick={() => onDone()}>
          Delete
        </Button>
      }
    >
      <p style={{ margin: 0 }}>
        Its container is stopped and removed. Everything else stays until it is purged: you can restore it as it was.
      </p>
      <Facts
        rows={[
          ["Removed", `the container ${server.container_id.slice(0, 12) || "(none)"}`],
          ["Kept", `the record and the data: ${dataText(server, data)}`],
          ["Reserved", ports(server.ports)],
        ]}
      />
    </Ask>
  );
}

export function ConfirmPurge({ server, onClose, onDone }: Choice) {
  const data = useData(server);
  const [typed, set] = useState("");
  const why = typed === server.name ? "" : `type ${server.name} first`;
  return (
    <Ask
      title={`Purge ${server.name} for good?`}
      onClose={onClose}
      buttons={
        <>
          <Button kind="danger" why={why} onClick={() => onDone({ confirm: true, keep_data: true })}>
            Keep data
          </Button>
          <Button kind="danger primary" why={why} onClick={() => onDone({ confirm: true, remove_data: true })}>
            Remove data
          </Button>
        </>
      }
    >
      <p style={{ margin: 0 }}>This cannot be undone.</p>
      <Facts
        rows={[
          ["Record", `${server.name} (${server.id}) and its settings`],
          ["Container", server.container_id ? server.container_id.slice(0, 12) : "none"],
          ["Data", dataText(server, data)],
          ["Ports released", ports(server.ports) || "none"],
          ["Automatic purge", server.purge_at ? absolute(server.purge_at) : ""],
        ]}
      />
      <Field label={`Type ${server.name} to confirm`}>
        {(id) => (
          <input id={id} className="input" value={typed} autoComplete="off" onChange={(e) => set(e.target.value)} />
        )}
      </Field>
    </Ask>
  );
}
