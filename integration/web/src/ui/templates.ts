import { useQuery } from "@tanstack/react-query";
import { api, type Schemas } from "../api/client";

export const useTemplates = () =>
  useQuery({
    queryKey: ["templates"],
    queryFn: () => api<Schemas["template_list"]>("GET", "/api/templates"),
    staleTime: Number.POSITIVE_INFINITY, // they are read when the manager starts
  });
export type Template = Schemas["template_list"]["templates"][number];
