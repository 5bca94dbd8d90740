/** The quota of a key, told in every answer. */
import type { Context } from "hono";
import { CpcError } from "../errors.ts";
import type { Quota } from "./keys.ts";

const MINUTE_S = 60;

/**
 * Says what is left of a quota in `RateLimit` and `RateLimit-Policy`
 * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/, revision 10).
 *
 * @throws {CpcError} `rate_limited` for a request beyond it
 */
export function tellQuota(c: Context, { perMinute, left, retryAfterMs }: Quota): void {
  const untilFullS = Math.ceil((perMinute - left) / perMinute * MINUTE_S);
  c.header("RateLimit-Policy", `"requests";q=${perMinute};w=${MINUTE_S}`);
  c.header("RateLimit", `"requests";r=${left};t=${untilFullS}`);
  if (retryAfterMs === 0) return;
  const why = `this key may make ${perMinute} requests a minute`;
  throw new CpcError("rate_limited", why, { retryAfterMs });
}
