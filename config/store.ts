/** The place of a store of sessions, as `--store` names it. */

/** Where sessions are kept: in the process, in a file, or in Redis. */
export type StorePlace =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly file: string }
  /** A folder of a supervisor's servers, 1 … servers; no URL names it. */
  | {
    readonly kind: "folder";
    readonly folder: string;
    readonly server: number;
    readonly servers: number;
  }
  | { readonly kind: "redis"; readonly url: string };

/** What stands for a secret. */
export const MASK = "***";

/** The URL of a store for logs. */
export function storeWithoutPassword(text: string): string {
  const url = URL.parse(text);
  if (!url?.password) return text;
  url.password = MASK;
  return url.href;
}

/** Names that SQLite takes for something else than a file: such a store would end with its process. */
const NOT_A_FILE = /^(:memory:$|file:)/;

/** Parses the URL of a store; undefined for anything else. */
export function storePlaceOf(text: string): StorePlace | undefined {
  if (text === "memory:") return { kind: "memory" };
  const file = /^sqlite:(?:\/\/(?=\/))?(.+)$/.exec(text)?.[1];
  if (file) return NOT_A_FILE.test(file) ? undefined : { kind: "sqlite", file };
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, pathname, search, hash } = new URL(text);
  const isRedis = /^rediss?:$/.test(protocol) && hostname !== "" && search + hash === "";
  return isRedis && /^\/?\d*$/.test(pathname) ? { kind: "redis", url: text } : undefined;
}
