/** The committed checkpoints of other projects, and what their tests share. */
import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";

const FIXTURES = new URL("../fixtures/checkpoints/", import.meta.url);

/** A committed checkpoint. */
export interface CheckpointFixture {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly args?: Record<string, unknown>;
  /** What the original was given; 16 kHz, as it is. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** For `readGolden`. */
  readonly expected: string;
}

/** Reads `hub_lstm2`, `cpc_audio_conv4` or `cpc_audio_lstm1`. */
export function checkpointFixture(name: string): CheckpointFixture {
  const folder = new URL(`${name}/`, FIXTURES);
  const file = [...Deno.readDirSync(folder)].find((entry) => entry.name.endsWith(".pt"))!.name;
  const hub = name.startsWith("hub");
  return {
    path: new URL(file, folder).pathname,
    bytes: Deno.readFileSync(new URL(file, folder)),
    args: hub
      ? undefined
      : JSON.parse(Deno.readTextFileSync(new URL("checkpoint_args.json", folder))),
    samples: new Float32Array(Deno.readFileSync(new URL("input.f32", folder)).buffer),
    expected: new URL("expected.npz", folder).href,
  };
}

/** Asserts that something is refused as a checkpoint, for a reason. */
export function refused(attempt: () => unknown, why: RegExp): void {
  assert.throws(attempt, (error) => {
    assert.ok(error instanceof CpcError, `not a CpcError: ${error}`);
    assert.equal(error.code, "checkpoint_invalid");
    assert.match(error.message, why);
    return true;
  });
}

/**
 * Runs something on damaged input: it may succeed, or refuse as a CpcError; anything else is
 * rethrown.
 */
export function succeedsOrRefuses(attempt: () => unknown): void {
  try {
    attempt();
  } catch (error) {
    if (!(error instanceof CpcError && error.code === "checkpoint_invalid")) throw error;
  }
}
