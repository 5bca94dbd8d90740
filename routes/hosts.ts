/**
 * Which `Host` a request may name. A server without keys trusts whoever reaches it, so a page of
 * another site must not: it could have its own name resolve to this machine (DNS rebinding), and
 * its requests would then look like those of the server's own pages. The `Host` gives it away.
 */
import { hostOf, isLoopback } from "../config/origins.ts";

/** What the check looks at. */
export interface HostClaim {
  /** The `Host` header: a name or address, with or without a port. */
  readonly host: string | undefined;
  /** The address of this machine that the request came to; undefined where it is not known. */
  readonly localAddress: string | undefined;
}

/**
 * A check of `Host` headers: whether this server knows the name.
 *
 * @param options `host`: what it listens on, and so in the URL that it prints, such as 0.0.0.0;
 *   `allowHosts`: other names it goes by; `apiKeys`: with keys it takes every name, since a page of
 *   another site has none of them
 */
export function hostCheck(
  { host: own, allowHosts, apiKeys }: {
    host: string;
    allowHosts: readonly string[];
    apiKeys: readonly unknown[];
  },
): (claim: HostClaim) => boolean {
  const allowed = new Set([hostOf(own) ?? own, ...allowHosts].map((name) => name.toLowerCase()));
  return ({ host, localAddress }) => {
    if (apiKeys.length > 0 || host === undefined) return true; // no browser leaves it out
    const name = hostName(host);
    return name !== undefined &&
      (isLoopback(name) || name.endsWith(".localhost") || allowed.has(name) ||
        (localAddress !== undefined && name === plainAddress(localAddress)));
  };
}

/** The name of a `Host` header without its port; undefined for what is none. */
function hostName(host: string): string | undefined {
  const url = URL.parse(`http://${host}`);
  if (!url || url.pathname !== "/" || url.username || url.search || url.hash) return undefined;
  return url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

/** An IPv4 address that came by IPv6 as IPv4 again. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, "");
}
