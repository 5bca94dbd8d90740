/** A small corpus of tones with noise, each speaker with a pitch, written as WAV files. */
import { join } from "node:path";
import { wavFile } from "../audio/wav_writer.ts";
import { random } from "./stream.ts";

/**
 * Writes `speakers` folders of two recordings of 1.5 s each, and `manifest.csv`; every third
 * speaker is `dev`.
 */
export async function writeCorpus(folder: string, { speakers = 6 } = {}): Promise<string> {
  const rows = ["path,start_sample,samples,speaker,source,text,split"];
  for (let s = 0; s < speakers; s++) {
    for (const name of ["a", "b"]) {
      const path = `speaker${s}/${name}.wav`;
      await Deno.mkdir(join(folder, `speaker${s}`), { recursive: true });
      const next = random(s * 10 + name.charCodeAt(0));
      const pcm = Int16Array.from({ length: 24_000 }, (_, i) => {
        const syllable = Math.sin(i / (900 + 100 * s)) > 0 ? 1 : 0.1;
        return 8000 * syllable * Math.sin(i * (0.05 + 0.03 * s)) + 500 * (next() - 0.5);
      });
      await Deno.writeFile(join(folder, path), wavFile(new Uint8Array(pcm.buffer)));
      const split = s % 3 === 2 ? "dev" : "train";
      rows.push(`${path},0,24000,speaker${s},${s % 2 ? "odd" : "even"},"a, tone",${split}`);
    }
  }
  const manifest = join(folder, "manifest.csv");
  await Deno.writeTextFile(manifest, rows.join("\n") + "\n");
  return manifest;
}

/** A folder that is gone after the test. */
export async function withTempFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
