import { Activity, Boxes, Gauge, Globe, HardDrive, ListChecks, Settings, ShieldCheck } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { type ReactNode, useEffect, useState } from "react";
import { Link, useLocation } from "wouter";
import { api } from "../api/client";
import { stopLive, useConnection } from "../api/live";
import { duration } from "../model/format";
import { Palette } from "./palette";
import { useNow } from "./parts";
import { useSigned } from "./session";

const PAGES = [
  { path: "/servers", name: "Servers", icon: Boxes, right: "view" },
  { path: "/projects", name: "Projects", icon: Globe, right: "view" },
  { path: "/hosts", name: "Hosts", icon: HardDrive, right: "view" },
  { path: "/operations", name: "Operations", icon: ListChecks, right: "view" },
  { path: "/audit", name: "Audit", icon: ShieldCheck, right: "administer" },
  { path: "/monitoring", name: "Monitoring", icon: Gauge, right: "view" },
  { path: "/settings", name: "Settings", icon: Settings, right: "connect" },
];

function ConnectionPill() {
  const c = useConnection();
  useNow();
  if (c.state === "live")
    return (
      <span className="pill good" role="status">
        <span aria-hidden="true">●</span> live
      </span>
    );
  return (
    <span className="pill warn" role="status">
      <span aria-hidden="true">◌</span>{" "}
      {c.state === "connecting" ? "connecting" : `reconnecting, data ${duration(Date.now() - c.heard)} old`}
    </span>
  );
}

function UserMenu() {
  const { session } = useSigned();
  const name = session.id.replace(/^\w+:/, "");
  const out = async () => {
    await api("DELETE", "/api/session").catch(() => {});
    stopLive();
    location.assign("/");
  };
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        <button type="button" className="button bare" aria-label={`Signed in as ${name}`}>
          {name}
        </button>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
          <div className="small quiet" style={{ padding: "4px 10px" }}>
            {session.grants.map((g) => g.role).join(", ") || "no role"} · zedops {session.version}
          </div>
          <DropdownMenu.Item onSelect={() => void out()}>Sign out</DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const [at] = useLocation();
  const { session } = useSigned();
  const [palette, show] = useState(false);
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const typing = (e.target as HTMLElement).matches("input, textarea, select");
      if (
        (e.key === "k" && (e.ctrlKey || e.metaKey)) ||
        (e.key === "/" && !typing && !document.querySelector("[data-search]"))
      ) {
        e.preventDefault();
        show(true);
      } else if (e.key === "/" && !typing) {
        e.preventDefault();
        document.querySelector<HTMLInputElement>("[data-search]")?.focus();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  return (
    <div className="shell">
      <div className="rail">
        <Link href="/servers" className="brand">
          <Activity size={18} aria-hidden="true" /> zedops
        </Link>
        <nav aria-label="Pages">
          {PAGES.filter((p) => session.rights.includes(p.right)).map((p) => (
            <Link key={p.path} href={p.path} aria-current={at.startsWith(p.path) ? "page" : undefined}>
              <p.icon size={16} aria-hidden="true" /> {p.name}
            </Link>
          ))}
        </nav>
      </div>
      <header className="top">
        <button type="button" className="button" onClick={() => show(true)}>
          Go to… <kbd className="quiet small wide">Ctrl K</kbd>
        </button>
        <span className="grow" />
        <ConnectionPill />
        <UserMenu />
      </header>
      <main className="main">
        <div className="page">{children}</div>
      </main>
      {palette && <Palette pages={PAGES} onClose={() => show(false)} />}
    </div>
  );
}
