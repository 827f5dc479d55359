import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Toast, Tooltip } from "radix-ui";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { Redirect, Route, Switch } from "wouter";
import { api, onSignedOut, type Session, type Verb } from "./api/client";
import { startLive, stopLive } from "./api/live";
import { Hosts } from "./pages/Hosts";
import { Servers } from "./pages/Servers";
import { SignIn, Welcome } from "./pages/SignIn";
import { Failed, Skeleton } from "./ui/parts";
import { type Signed, SignedContext } from "./ui/session";
import { Shell } from "./ui/shell";
import { applyTheme } from "./ui/theme";
import { Toasts } from "./ui/toasts";
import "./ui/tokens.css";

const ServerPage = lazy(() => import("./pages/Server"));
const Create = lazy(() => import("./pages/Create"));
const Host = lazy(() => import("./pages/Host"));
const Projects = lazy(() => import("./pages/Projects"));
const ServicePage = lazy(() => import("./pages/Service"));
const Operations = lazy(() => import("./pages/Operations"));
const Audit = lazy(() => import("./pages/Audit"));
const Monitoring = lazy(() => import("./pages/Monitoring"));
const Settings = lazy(() => import("./pages/Settings"));
const Docs = lazy(() => import("./pages/Docs"));

const queries = new QueryClient({
  defaultOptions: { queries: { retry: 1, refetchOnWindowFocus: false, staleTime: 5_000 } },
});

function App() {
  const [signed, set] = useState<Signed | "none" | "asking">("asking");
  const [failure, setFailure] = useState<unknown>();
  useEffect(() => {
    onSignedOut(() => {
      stopLive();
      set("none");
    });
    const begin = async () => {
      try {
        const session = await api<Session>("GET", "/api/session");
        const { verbs, events } = await api<{ verbs: Verb[]; events: string[] }>("GET", "/api/verbs");
        setFailure(undefined);
        set({ session, verbs });
        startLive(events);
      } catch (e) {
        if ((e as { status?: number }).status === 401) set("none");
        else {
          setFailure(e);
          setTimeout(begin, 2_000);
        }
      }
    };
    void begin();
  }, []);
  if (signed === "asking") return <div className="center">{failure ? <Failed error={failure} /> : <Skeleton />}</div>;
  if (signed === "none") return <SignIn />;
  return (
    <SignedContext.Provider value={signed}>
      <Shell>
        <Suspense fallback={<Skeleton />}>
          <Switch>
            <Route path="/servers" component={Servers} />
            <Route path="/servers/new" component={Create} />
            <Route path="/servers/:id/:tab?">
              {(p) => <ServerPage key={p.id} id={p.id} tab={p.tab ?? "overview"} />}
            </Route>
            <Route path="/hosts" component={Hosts} />
            <Route path="/hosts/:id">{(p) => <Host key={p.id} id={p.id} />}</Route>
            <Route path="/projects" component={Projects} />
            <Route path="/services/:id">{(p) => <ServicePage key={p.id} id={p.id} />}</Route>
            <Route path="/operations" component={Operations} />
            <Route path="/audit" component={Audit} />
            <Route path="/monitoring" component={Monitoring} />
            <Route path="/settings" component={Settings} />
            <Route path="/api/docs" component={Docs} />
            <Route>
              <Redirect to="/servers" />
            </Route>
          </Switch>
        </Suspense>
      </Shell>
    </SignedContext.Provider>
  );
}

const Around = ({ children }: { children: ReactNode }) => (
  <QueryClientProvider client={queries}>
    <Tooltip.Provider delayDuration={250}>
      <Toast.Provider swipeDirection="right">
        {children}
        <Toasts />
      </Toast.Provider>
    </Tooltip.Provider>
  </QueryClientProvider>
);

applyTheme();
const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <Around>{location.pathname === "/welcome" ? <Welcome secret={location.hash.slice(1)} /> : <App />}</Around>,
  );
