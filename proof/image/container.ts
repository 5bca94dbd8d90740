/** Runs an image: another user, nothing to write to but /tmp, no network but its own loopback. */
import type { Image } from "./builder.ts";
import { run } from "./run.ts";

/** A running one. */
export interface Container {
  /** Runs a command of the image beside its entry point; its exit status. */
  beside(command: readonly string[]): Promise<number>;
  /** Runs a program of this machine in the network of the container. */
  visit(program: string, args: readonly string[]): Promise<Deno.CommandOutput>;
  /** Sends SIGTERM; the exit status, and what it printed. */
  stop(): Promise<{ code: number; said: string }>;
}

const START_MS = 60_000;
/** Mounts the image so that nobody can write to it; `$1` root, `$2` user, `$3` folder. */
const ENTER = `
  ip link set lo up
  mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
  mount -t tmpfs tmpfs "$1/tmp" && mount -t proc proc "$1/proc"
  mount --bind "$4" "$1/mnt" && mount -o remount,bind,ro "$1/mnt"
  mount --rbind /dev "$1/dev"
  root=$1 user=$2 folder=$3 && shift 4
  exec chroot --userspec="$user" "$root" sh -c 'cd "$0" && exec "$@"' "$folder" "$@"`;

/**
 * Starts it and waits until it listens.
 *
 * @param options `mounted`: a folder of this machine that it finds as `/mnt`
 */
export async function startContainer(
  image: Image,
  { environment, mounted }: { environment: Record<string, string>; mounted: string },
): Promise<Container> {
  const { root, user, folder } = image;
  const enter = ["sh", "-ec", ENTER, "enter", root, user, folder, mounted];
  const child = new Deno.Command("unshare", {
    args: ["--mount", "--net", "--pid", "--fork", "--kill-child", ...enter, ...image.entrypoint],
    clearEnv: true,
    env: { ...image.environment, ...environment },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let said = "";
  const listens = Promise.withResolvers<void>();
  const late = setTimeout(() => child.kill("SIGKILL"), START_MS);
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (said.includes("listening on")) listens.resolve();
    }
    listens.reject(new Error(`the container ended before it listened: ${said}`));
  })();
  await listens.promise;
  clearTimeout(late);
  const first = (await run("pgrep", ["--parent", String(child.pid)])).trim();
  const target = ["--target", first, "--net", "--mount", "--pid", "--"];
  return {
    async beside(command) {
      const { code } = await new Deno.Command("nsenter", {
        args: [
          ...target,
          "chroot",
          `--userspec=${user}`,
          root,
          "sh",
          "-c",
          'cd "$0" && exec "$@"',
          folder,
          ...command,
        ],
        clearEnv: true,
        env: { ...image.environment, ...environment },
        stdout: "inherit",
        stderr: "inherit",
      }).output();
      return code;
    },
    visit: (program, args) =>
      new Deno.Command("nsenter", {
        args: ["--target", first, "--net", "--", program, ...args],
        stderr: "inherit",
      }).output(),
    async stop() {
      Deno.kill(Number(first), "SIGTERM"); // the first process of its namespace, as an engine does
      const { code } = await child.status;
      await reading.catch(() => {});
      return { code, said };
    },
  };
}
