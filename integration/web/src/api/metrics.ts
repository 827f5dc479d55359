import { useQuery } from "@tanstack/react-query";
import { parse } from "../model/metrics";

const LOOK_EVERY_MS = 10_000; // while the page is shown

// The manager's metrics, for users who may see everything; else nothing.
export const useMetrics = () =>
  useQuery({
    queryKey: ["metrics"],
    queryFn: async () => {
      const r = await fetch("/metrics");
      return r.ok ? parse(await r.text()) : [];
    },
    refetchInterval: LOOK_EVERY_MS,
  });
