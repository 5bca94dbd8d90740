/**
 * `deno task image`: builds deploy/Dockerfile without a container engine and uses the server in it.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { runCommand } from "../commands/cli.ts";
import { path, yes } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { Builder } from "./image/builder.ts";
import { type Container, startContainer } from "./image/container.ts";
import { TOLERANCE } from "./clips.ts";

const COMMAND = {
  name: "image",
  about: "Builds deploy/Dockerfile in chroots, starts its server and streams to it.",
  usage: "[flags]",
  settings: twinned("CPC_IMAGE_", {
    work: path({
      words: "a temporary folder",
      help: "where it is built; removed before and after",
    }),
    keep: yes({ help: "keep the folder" }),
  }),
  notes: ["It needs root, debootstrap and Debian's archive. It takes the target cpu."],
};
const MODEL = "weights/cpc-base";
const KEY = "a-key-of-the-proof";

/** Uses it as its engine and a client do. */
async function useOf(container: Container, healthCheck: readonly string[]) {
  const healthy = await container.beside(healthCheck);
  const { stdout } = await container.visit(Deno.execPath(), [
    "run",
    "--quiet",
    "--allow-read",
    "--allow-net",
    "--allow-env=LOG_TOKENS,LOG_STREAM", // of the package yaml
    new URL("image/visitor.ts", import.meta.url).pathname,
    "http://127.0.0.1:8000",
    KEY,
    MODEL,
  ]);
  const difference = Number(new TextDecoder().decode(stdout) || Infinity);
  const written = await container.beside(["sh", "-c", "! touch /cpc-stream/x 2>/dev/null"]);
  return { healthy, difference, written };
}

const status = await runCommand(COMMAND, async ({ work, keep }) => {
  const folder = work ?? await Deno.makeTempDir();
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  try {
    const image = await new Builder(folder).build("cpu");
    const keys = join(folder, "keys");
    await Deno.mkdir(keys);
    const sha256 = createHash("sha256").update(KEY).digest("hex");
    const file = join(keys, "keys.json");
    await Deno.writeTextFile(file, JSON.stringify([{ name: "proof", sha256 }]));
    const container = await startContainer(image, {
      environment: { CPC_API_KEYS_FILE: "/mnt/keys.json" },
      mounted: keys,
    });
    let code = 1;
    const { healthy, difference, written } = await useOf(container, image.healthCheck)
      .finally(async () => code = (await container.stop()).code);
    console.log(`health check: ${healthy}`);
    console.log(`a stream: at most ${difference.toExponential(1)} from the reference`);
    console.log(`its own files can be written: ${written === 0 ? "no" : "yes"}`);
    console.log(`SIGTERM: ended with ${code}`);
    return healthy === 0 && difference <= TOLERANCE && written === 0 && code === 0 ? 0 : 1;
  } finally {
    if (!keep) await Deno.remove(folder, { recursive: true });
  }
}, { args: Deno.args });
Deno.exit(status);
