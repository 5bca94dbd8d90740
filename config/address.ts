/** The address that a server listens on, for people: its URL, or why it cannot be listened on. */
import { UsageError } from "../errors.ts";

/** The URL of a server at an address, IPv6 in brackets. */
export function addressUrl(
  { address, port }: { address: string; port: number },
  { tls }: { tls: boolean },
): string {
  const name = address.includes(":") ? `[${address}]` : address;
  return `${tls ? "https" : "http"}://${name}:${port}`;
}

/** The failure of `listen()` as a mistake of the operator. */
export function addressError(
  error: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): UsageError {
  return new UsageError(describe(error, { host, port }));
}

function describe(
  error: NodeJS.ErrnoException,
  { host, port }: { host: string; port: number },
): string {
  switch (error.code) {
    case "EADDRINUSE":
      return `port ${port} of ${host} is in use; choose another with --port`;
    case "EACCES":
      return `no permission to listen on port ${port} of ${host}; choose one of 1024 or ` +
        "higher with --port";
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is not an address of this machine; choose one with --host`;
    default:
      return `cannot listen on ${host}:${port}: ${error.message}`;
  }
}
