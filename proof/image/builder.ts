/** Builds a target of deploy/Dockerfile in folders, with chroot in place of a container engine. */
import { join } from "node:path";
import { commandOf, contextFilter, type Stage, stagesOf, variablesOf } from "./dockerfile.ts";
import { run } from "./run.ts";

/** The repository. */
const ROOT = new URL("../../", import.meta.url).pathname;

/** What a container would be started from. */
export interface Image {
  /** The folder that becomes `/`. */
  readonly root: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** `UID:GID`. */
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly healthCheck: readonly string[];
}

type Draft = { -readonly [Name in keyof Image]: Image[Name] };

/** Builds images below a folder. */
export class Builder {
  readonly #work: string;
  readonly #built = new Map<string, Draft>();
  readonly #stages: readonly Stage[];
  readonly #isContext: (path: string) => boolean;

  /** @param work an empty folder */
  constructor(work: string) {
    this.#work = work;
    const read = (name: string) => Deno.readTextFileSync(join(ROOT, "deploy", name));
    this.#stages = stagesOf(read("Dockerfile"));
    this.#isContext = contextFilter(read("Dockerfile.dockerignore"));
  }

  /** Builds a stage, and those before it that it needs. */
  async build(name: string): Promise<Image> {
    const built = this.#built.get(name);
    if (built) return built;
    const stage = this.#stages.find((stage) => stage.name === name);
    if (!stage) return await this.#base(name);
    const from = await this.build(stage.from);
    const image: Draft = { ...from, environment: { ...from.environment } };
    image.root = join(this.#work, name);
    await run("cp", ["--archive", from.root, image.root]);
    for (const { name, text } of stage.instructions) await this.#take(image, name, text);
    this.#built.set(name, image);
    return image;
  }

  async #take(image: Draft, name: string, text: string): Promise<void> {
    switch (name) {
      case "ENV":
        image.environment = { ...image.environment, ...variablesOf(text) };
        break;
      case "WORKDIR":
        image.folder = text;
        await Deno.mkdir(join(image.root, text), { recursive: true });
        break;
      case "COPY":
        await this.#copy(image, text);
        break;
      case "RUN":
        await inside(image, text);
        break;
      case "USER":
        image.user = text;
        break;
      case "HEALTHCHECK":
        image.healthCheck = commandOf(text.slice(text.indexOf("CMD") + 3));
        break;
      case "ENTRYPOINT":
        image.entrypoint = commandOf(text);
        break;
      case "EXPOSE":
        break;
      default:
        throw new Error(`${name} is not understood`);
    }
  }

  async #copy(image: Image, text: string): Promise<void> {
    const [, from, source, target] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(text) ?? [];
    if (source === undefined || target === undefined) throw new Error(`not a copy: ${text}`);
    if (from !== undefined) {
      const { root } = await this.build(from);
      await Deno.mkdir(join(image.root, target), { recursive: true });
      await run("cp", ["--archive", `${join(root, source)}/.`, join(image.root, target)]);
      return;
    }
    if (source !== "." || target !== ".") throw new Error(`not the whole context: ${text}`);
    const tracked = await run("git", ["-C", ROOT, "ls-files", "-z"]);
    const files = tracked.split("\0").filter((path) => path !== "" && this.#isContext(path));
    const list = join(this.#work, "context");
    await Deno.writeTextFile(list, files.join("\0"));
    const into = join(image.root, image.folder);
    await run("sh", [
      "-c",
      'tar --create --null --directory "$1" --files-from "$2" | tar --extract --directory "$3"',
      "copy",
      ROOT,
      list,
      into,
    ]);
    await run("chown", ["--recursive", "0:0", into]);
  }

  /** Debian with Deno, as the image that Deno's authors publish has them. */
  async #base(image: string): Promise<Image> {
    const version = /^denoland\/deno:debian-(.+)$/.exec(image)?.[1];
    if (version === undefined) throw new Error(`${image} is not understood`);
    if (version !== Deno.version.deno) {
      throw new Error(`the image has Deno ${version}, and this is ${Deno.version.deno}`);
    }
    const root = join(this.#work, "debian");
    await run("debootstrap", [
      "--variant=minbase",
      "--include=ca-certificates,tini",
      "bookworm",
      root,
    ]);
    await run("cp", [Deno.execPath(), join(root, "usr/bin/deno")]);
    await Deno.symlink("/usr/bin/tini", join(root, "tini"));
    await run("chroot", [root, "useradd", "--uid", "1993", "--user-group", "deno"]);
    const draft: Draft = {
      root,
      environment: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      folder: "/",
      user: "0:0",
      entrypoint: [],
      healthCheck: [],
    };
    this.#built.set(image, draft);
    return draft;
  }
}

/** Runs a shell command in an image, with the names and certificates of this machine. */
async function inside(image: Image, command: string): Promise<void> {
  const { root, folder, user } = image;
  const script = `
    mount -t proc proc "$1/proc"
    for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
      touch "$1$file" && mount --bind "$(realpath $file)" "$1$file"
    done
    cd "$1$2" && exec chroot --userspec="$3" "$1" sh -c 'cd "$0" && eval "$1"' "$2" "$4"`;
  await run("unshare", [
    "--mount",
    "sh",
    "-ec",
    script,
    "inside",
    root,
    folder,
    user,
    command,
  ], { environment: { ...image.environment, DENO_TLS_CA_STORE: "system" } });
}
