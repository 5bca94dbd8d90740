/** The models of the server, and their heads. */
import { StreamError } from "../client/mod.ts";
import type { Channels } from "../client/browser/source.ts";

/** What the page needs to know about a model. */
export interface Model {
  readonly id: string;
  readonly dims: { readonly steps: number };
  readonly heads: readonly Head[];
  /** Folder of its files, if this browser may have them. */
  readonly weights?: string;
}

/** A small network on the model's features. */
export interface Head {
  readonly name: string;
  /** 2: it hears two speakers, each on a channel. */
  readonly channels: Channels;
  /** Rows per second. */
  readonly rate: number;
  readonly outputs: readonly HeadOutput[];
  /** Names of the events that it may report. */
  readonly events: readonly string[];
  /** It compares with an enrolled voice. */
  readonly voice?: true;
}

/** Numbers of a head's row. */
export interface HeadOutput {
  readonly name: string;
  readonly shape: readonly number[];
  /** A name for each number. */
  readonly labels?: readonly string[];
}

/**
 * Asks the server for its models. Heads that need an enrolled voice are left out, since the page
 * enrols none.
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
  return body.data.map((model) => ({
    ...model,
    heads: model.heads.filter(({ voice }) => !voice),
  }));
}
