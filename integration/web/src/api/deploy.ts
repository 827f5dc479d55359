// Projects, services and deployments: read again whenever an event is about one.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, type Schemas } from "./client";
import { onEvent } from "./live";

export type Project = Schemas["project_view"];
export type Service = Schemas["service_view"];
export type Deployment = Schemas["deployment_view"];

const PAUSE_MS = 250; // events in between cause one read
const SPEAKS = /^(project|service|deployment|rollback)\.|^operation\.progress$/;

export function useDeployments<T>(path: string, query: Record<string, string> = {}) {
  const client = useQueryClient();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onEvent((e) => {
      if (!SPEAKS.test(e.type)) return;
      timer ??= setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries({ queryKey: ["deploy"] });
      }, PAUSE_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [client]);
  return useQuery({ queryKey: ["deploy", path, query], queryFn: () => api<T>("GET", path, { query }) });
}
