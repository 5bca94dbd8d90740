/** What tests of decoding share. */
import assert from "node:assert/strict";
import { decoders } from "../../audio/decode.ts";
import { CpcError, type ErrorCode } from "../../errors.ts";
import { fixture } from "./files.ts";

/** The clip that the fixtures hold, as floats. */
export const CLIP = Float32Array.from(
  new Int16Array(fixture("../speech/italian_short.wav").slice(44).buffer).subarray(0, 12_001),
  (x) => x / 32768,
);

/** A compressed fixture of every kind. */
export const FILES = [
  "speech.flac",
  "flac.ogg",
  "left_24bit.flac",
  "mono.opus",
  "stereo.opus",
  "stereo.mp3",
  "no_info.mp3",
  "vorbis.ogg",
];

/** A test after which no decoder runs. */
export function decodeTest(name: string, run: () => Promise<void>): void {
  Deno.test(name, async () => {
    try {
      await run();
    } finally {
      decoders.close();
    }
  });
}

/** Whether an error has this code and message, for `assert.rejects`. */
export function fails(code: ErrorCode, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof CpcError, String(error));
    assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message);
    return true;
  };
}
