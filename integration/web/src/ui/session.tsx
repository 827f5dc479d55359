import { createContext, useContext } from "react";
import type { Session, Verb } from "../api/client";

export interface Signed {
  session: Session;
  verbs: Verb[];
}
export const SignedContext = createContext<Signed | null>(null);
export function useSigned(): Signed {
  const s = useContext(SignedContext);
  if (!s) throw new Error("used outside a session");
  return s;
}
export const useMay = (right: string) => useSigned().session.rights.includes(right);
