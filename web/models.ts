/** The models of the server. */
import { StreamError } from "../client/mod.ts";

/** What the page needs to know about a model. */
export interface Model {
  readonly id: string;
  readonly dims: { readonly steps: number };
}

/**
 * Asks the server for its models.
 *
 * @throws {StreamError} with the server's code; `connection_lost` if it does not answer
 */
export async function loadModels(key: string): Promise<readonly Model[]> {
  const headers = new Headers(key ? { authorization: `Bearer ${key}` } : {});
  let answer: Response;
  let body: { data: Model[] } | { error: { code: string; message: string } };
  try {
    answer = await fetch("/v1/models", { headers });
    body = await answer.json();
  } catch (cause) {
    throw new StreamError("connection_lost", "the server did not list its models", { cause });
  }
  if ("error" in body) throw new StreamError(body.error.code, body.error.message);
  return body.data;
}
