/** `POST /v1/tokens`: a short-lived token in place of a key. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { bearerKey } from "./auth.ts";
import { type Keys, TOKEN_SECONDS } from "./keys.ts";
import { errorAnswers } from "./schemas.ts";
import { parseOptions, wholeNumber } from "../options.ts";

const { min, max, fallback } = TOKEN_SECONDS;
const optionsSchema = z.strictObject({
  seconds: wholeNumber(min, max).default(fallback).openapi({
    type: "integer",
    minimum: min,
    maximum: max,
    description: "how long it stays valid",
  }),
});
const tokenSchema = z.object({ token: z.string(), expires_at: z.iso.datetime(), seconds: z.int() })
  .openapi("Token");

/** Mounts the route. */
export function mountTokens(app: OpenAPIHono, keys: Keys): void {
  const route = createRoute({
    method: "post",
    path: "/v1/tokens",
    summary: "A token that replaces the key of this request until it expires",
    request: { query: z.object({ seconds: optionsSchema.shape.seconds }) },
    responses: {
      201: { description: "the token", content: { "application/json": { schema: tokenSchema } } },
      ...errorAnswers(401, 403, 409, 422, 429),
    },
  });
  app.openapi(route, (c) => {
    const { seconds } = parseOptions(optionsSchema, c.req.query());
    const { token, expiresAt } = keys.issueToken(bearerKey(c.req.header("authorization")), seconds);
    c.header("Cache-Control", "no-store");
    return c.json({ token, expires_at: expiresAt.toISOString(), seconds }, 201);
  });
}
