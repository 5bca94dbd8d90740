import assert from "node:assert/strict";
import { join } from "node:path";
import { calibrateSpeaker } from "../../commands/speaker.ts";
import { readSpeaker } from "../../model/speaker.ts";
import { writeTinyModel } from "../support/models.ts";
import { wav } from "../support/server.ts";
import { random } from "../support/stream.ts";

const MARKS = ["<!-- begin: deno task speaker -->", "<!-- end: deno task speaker -->"];

/** A model `tiny`, and speakers with recordings of so many seconds. */
async function withFolder(
  speakers: readonly { name: string; split: string; seconds: number }[],
  use: (folder: string, manifest: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await writeTinyModel(folder);
    const lines = ["path,samples,speaker,source,split"];
    for (const [i, { name, split, seconds }] of speakers.entries()) {
      const next = random(i + 1);
      const sound = Float32Array.from({ length: seconds * 16_000 }, () => next() - 0.5);
      await Deno.writeFile(join(folder, `${name}.wav`), wav(sound));
      lines.push(`${name}.wav,${seconds * 16_000},${name},librispeech,${split}`);
    }
    const manifest = join(folder, "manifest.csv");
    await Deno.writeTextFile(manifest, lines.join("\n"));
    await use(folder, manifest);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(...args: string[]): Promise<{ status: number; out: string; said: string }> {
  const { error, log } = console;
  let [out, said] = ["", ""];
  console.error = (line: string) => said += `${line}\n`;
  console.log = (line: string) => out += `${line}\n`;
  try {
    return { status: await calibrateSpeaker([...args, "--workers", "1"]), out, said };
  } finally {
    [console.error, console.log] = [error, log];
  }
}

Deno.test("deno task speaker calibrates on dev alone, and writes its file and page", async () => {
  const speakers = [
    { name: "ann", split: "dev", seconds: 10 },
    { name: "bob", split: "dev", seconds: 11 },
    { name: "eve", split: "test", seconds: 20 },
  ];
  await withFolder(speakers, async (folder, manifest) => {
    const [model, page] = [join(folder, "tiny"), join(folder, "page.md")];
    await Deno.writeTextFile(page, `before\n${MARKS.join("\nstale\n")}\nafter\n`);
    const args = ["--model", model, "--manifest", manifest, "--page", page];
    const { status, out, said } = await run(...args);
    assert.equal(status, 0, said);
    const file = (await readSpeaker(model))!;
    assert.equal(file.seconds, 5);
    assert.deepEqual(
      file.calibration.map(({ source, seconds, speakers, clips, pairs }) => [
        ...[source, seconds, speakers, clips, pairs],
      ]),
      [["librispeech", 2, 2, 10, 45], ["librispeech", 5, 2, 4, 6]],
    );
    assert.ok(Math.abs(file.threshold) <= 1);
    const text = await Deno.readTextFile(page);
    assert.ok(text.includes(out.trim()) && !text.includes("stale"));
    assert.match(out, /\| tiny +\| librispeech +\| 5 s/);
  });
});

Deno.test("deno task speaker names what it lacks, before it computes anything", async () => {
  await withFolder([{ name: "ann", split: "dev", seconds: 12 }], async (folder, manifest) => {
    const { status, said } = await run("--model", join(folder, "tiny"), "--manifest", manifest);
    assert.notEqual(status, 0);
    assert.match(said, /no two dev speakers of one source, each with two clips of 5 s/);
  });
});
