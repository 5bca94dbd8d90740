/**
 * A data set of synthetic voices: a speaker is a pitch and a length of throat, a word is two
 * sounds; both can be told by ear.
 */
import { join } from "node:path";
import { wavFile } from "../audio/wav_writer.ts";
import { random } from "./stream.ts";

const RATE = 16_000;
/** Resonances of three sounds, in Hz. */
const SOUNDS = [[300, 2300], [700, 1200], [350, 800]];
/** Words as two sounds each. */
const WORDS: Record<string, readonly [number, number]> = { ia: [0, 1], au: [1, 2], ui: [2, 0] };

/**
 * A voice that says sounds one after the other; a higher one has a shorter throat, which moves its
 * resonances up.
 */
export function voice(
  { hertz, sounds, seconds, next }: {
    hertz: number;
    sounds: readonly number[];
    seconds: number;
    next: () => number;
  },
): Float32Array<ArrayBuffer> {
  const count = Math.round(seconds * RATE);
  const out = new Float32Array(count);
  const pitch = hertz * (1 + 0.02 * (next() - 0.5));
  for (let i = 0; i < count; i++) {
    const resonances = SOUNDS[sounds[Math.floor(sounds.length * i / count)]].map((centre) =>
      centre * (hertz / 150) ** 0.4
    );
    let x = 0.002 * (next() - 0.5);
    for (let h = 1; h * pitch < 3500; h++) {
      const gain = resonances.reduce(
        (sum, centre) => sum + 1 / (1 + ((h * pitch - centre) / 150) ** 2),
        0.02,
      );
      x += 0.02 * gain * Math.sin(2 * Math.PI * h * pitch * i / RATE);
    }
    out[i] = x;
  }
  return out;
}

/** Writes recordings and their manifest into a folder; the manifest's path. */
export async function writeTinyCorpus(folder: string): Promise<string> {
  const next = random(11);
  const rows = ["path,start_sample,samples,speaker,source,text,split"];
  const write = async (path: string, samples: Float32Array) => {
    await Deno.mkdir(join(folder, path, ".."), { recursive: true });
    const pcm = Int16Array.from(samples, (x) => Math.max(-1, Math.min(1, x)) * 32_767);
    await Deno.writeFile(join(folder, path), wavFile(new Uint8Array(pcm.buffer)));
  };
  const pitches = { train: [90, 170], dev: [120, 210], test: [100, 150, 230] };
  for (const [split, hertzes] of Object.entries(pitches)) {
    for (const hertz of hertzes) {
      for (let i = 0; i < 3; i++) {
        const path = `read/${split}-${hertz}-${i}.wav`;
        await write(path, voice({ hertz, sounds: [0, 1, 2, 1], seconds: 1.4 + 0.2 * i, next }));
        rows.push(`${path},0,0,r${hertz},librispeech,,${split}`);
      }
      // a speaker's words one after the other in one file
      const path = `words/${split}-${hertz}.wav`;
      const clips = [0, 1, 2].flatMap(() => Object.entries(WORDS)).map(([word, sounds]) => ({
        word,
        samples: voice({ hertz, sounds, seconds: 0.4, next }),
      }));
      await write(path, Float32Array.from(clips.flatMap(({ samples }) => [...samples])));
      clips.forEach(({ word, samples }, i) =>
        rows.push(
          `${path},${
            i * samples.length
          },${samples.length},w${hertz},arabic_speech_commands,${word},${split}`,
        )
      );
    }
  }
  const manifest = join(folder, "manifest.csv");
  await Deno.writeTextFile(manifest, rows.join("\n"));
  return manifest;
}
