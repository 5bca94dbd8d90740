/** A link between two network namespaces that loses packets, or carries none (Linux, root). */
import { LeftOut } from "./case.ts";

/** The far end, where the server is. */
export const FAR_HOST = "10.213.7.2";
const NEAR_HOST = "10.213.7.1";

/** The link, as a case hurts it. */
export interface Link {
  /** Starts a server at the far end: a `prelude` of its start. */
  readonly prelude: string;
  /** Carries nothing any more, or works again; nobody is told. */
  up(works: boolean): Promise<void>;
  /**
   * Loses packets at random in either direction, so many per cent of them; 0 ends it.
   *
   * @returns how many were lost since it was called last
   */
  lose(percent: number): Promise<number>;
}

/**
 * Runs something with a link; it is gone afterwards.
 *
 * @throws {LeftOut} where the system does not allow it
 */
export async function withLink<T>(use: (link: Link) => Promise<T>): Promise<T> {
  const space = `cpc${Deno.pid}`;
  const near = new End(`${space}a`, []);
  const far = new End(`${space}b`, ["netns", "exec", space]);
  await ip("netns", "add", space);
  try {
    await ip("link", "add", near.device, "type", "veth", "peer", "name", far.device);
    await ip("link", "set", far.device, "netns", space);
    await ip("addr", "add", `${NEAR_HOST}/24`, "dev", near.device);
    await ip("link", "set", near.device, "up");
    await ip("-n", space, "addr", "add", `${FAR_HOST}/24`, "dev", far.device);
    await ip("-n", space, "link", "set", far.device, "up");
    await ip("-n", space, "link", "set", "lo", "up");
    return await use({
      prelude: `[ -n "$IN" ] || { IN=1; export IN; exec ip netns exec ${space} sh -c ` +
        `'exec "$@" 2>"$0"' "$0" "$@"; }`,
      up: (works) => ip("link", "set", near.device, works ? "up" : "down"),
      lose: async (percent) => await near.lose(percent) + await far.lose(percent),
    });
  } finally {
    await near.lose(0).catch(() => {}); // what is left of it names a device that is gone
    await new Deno.Command("ip", { args: ["netns", "del", space], stderr: "null" }).output();
  }
}

/**
 * An end of the link. It drops packets as they come in: a sender is told of those that are dropped
 * where it sends them.
 */
class End {
  readonly device: string;
  readonly #place: readonly string[];

  /** @param place arguments of `ip` that run a program there; none: where this process is */
  constructor(device: string, place: readonly string[]) {
    this.device = device;
    this.#place = place;
  }

  async lose(percent: number): Promise<number> {
    const table = `ip ${this.device}`;
    await this.#nft(`add table ${table}`);
    const counters = await this.#nft(`list table ${table}`);
    await this.#nft(`delete table ${table}`);
    if (percent > 0) {
      const chance = `numgen random mod 100 < ${percent}`;
      await this.#nft([
        `add table ${table}`,
        `add chain ${table} input { type filter hook input priority 0; }`,
        `add rule ${table} input iifname ${this.device} ${chance} counter drop`,
      ].join("; "));
    }
    return Number(/packets (\d+)/.exec(counters)?.[1] ?? 0);
  }

  #nft(rules: string): Promise<string> {
    const what = "nftables (nft, and numgen in the kernel)";
    const [program, ...args] = this.#place.length > 0 ? ["ip", ...this.#place, "nft"] : ["nft"];
    return output(program!, { args: [...args, rules], what });
  }
}

async function ip(...args: string[]): Promise<void> {
  await output("ip", { args, what: "the right to make network namespaces (ip netns)" });
}

/** @throws {LeftOut} with what the case needs, if the program fails or is not there */
async function output(
  program: string,
  { args, what }: { args: string[]; what: string },
): Promise<string> {
  const { success, stdout } = await new Deno.Command(program, { args, stderr: "null" }).output()
    .catch(() => ({ success: false, stdout: new Uint8Array() }));
  if (!success) throw new LeftOut(`it needs ${what}`);
  return new TextDecoder().decode(stdout);
}
