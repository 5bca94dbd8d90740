/** Addresses and web origins in settings. */

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** A name or address by which a server is known, without a port; undefined for other text. */
export function hostOf(text: string): string | undefined {
  const url = URL.parse(
    `http://${text.includes(":") && !text.startsWith("[") ? `[${text}]` : text}`,
  );
  if (!url || url.port !== "" || url.href !== `http://${url.hostname}/`) return undefined;
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/** An origin as browsers send it; undefined for any other text. */
export function originOf(text: string): string | undefined {
  const url = /^https?:/i.test(text) ? URL.parse(text) : null;
  const origin = url && url.href === `${url.origin}/`
    ? url.origin
    : text.replace(/\/$/, "").toLowerCase();
  return /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/.test(origin) ? origin : undefined;
}
