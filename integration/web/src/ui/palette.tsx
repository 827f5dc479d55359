import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useLocation } from "wouter";
import { useWorld } from "../api/live";
import { lookOf, lookOfAgent } from "../model/words";
import { Badge } from "./parts";

const LISTED_MAX = 500; // of each kind: the rest is found on its page

export function Palette({ pages, onClose }: { pages: { path: string; name: string }[]; onClose: () => void }) {
  const { servers, agents } = useWorld();
  const [, go] = useLocation();
  const to = (path: string) => () => {
    go(path);
    onClose();
  };
  return (
    <Dialog.Root open onOpenChange={(open) => open || onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog palette" aria-describedby={undefined}>
          <Dialog.Title className="hidden">Go to</Dialog.Title>
          <Command loop label="Go to">
            <Command.Input placeholder="A page, a server, a host…" autoFocus />
            <Command.List>
              <Command.Empty>Nothing has this name.</Command.Empty>
              {pages.map((p) => (
                <Command.Item key={p.path} value={p.name} onSelect={to(p.path)}>
                  {p.name}
                </Command.Item>
              ))}
              <Command.Item value="New server" onSelect={to("/servers/new")}>
                New server
              </Command.Item>
              {[...servers.values()].slice(0, LISTED_MAX).map((s) => (
                <Command.Item key={s.id} value={`${s.name} ${s.id}`} onSelect={to(`/servers/${s.id}`)}>
                  <span className="grow">{s.name}</span> <Badge look={lookOf(s)} />
                </Command.Item>
              ))}
              {[...agents.values()].slice(0, LISTED_MAX).map((a) => (
                <Command.Item key={a.id} value={`${a.name} host`} onSelect={to(`/hosts/${a.id}`)}>
                  <span className="grow">{a.name}</span> <Badge look={lookOfAgent(a)} />
                </Command.Item>
              ))}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
