/** The proxies of deploy/, with their configurations as they are but for the ports. */
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

/** Ports that the configurations name: the proxy's own, and the servers'. */
const PORTS = { clients: "8000", servers: ["8001", "8002"] } as const;
const START_MS = 10_000;

/** A proxy, and how it is started. */
interface Kind {
  readonly file: string;
  command(config: string): string[];
}

const KINDS = {
  haproxy: { file: "haproxy.cfg", command: (config) => ["haproxy", "-f", config] },
  nginx: { file: "nginx.conf", command: (config) => ["nginx", "-c", config] },
} satisfies Record<string, Kind>;

/** Names of the proxies. */
export type ProxyName = keyof typeof KINDS;
export const PROXIES = Object.keys(KINDS) as ProxyName[];

/** A running proxy. */
export interface Proxy {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts a proxy before two servers.
 *
 * @param options `port`: its own
 */
export async function startProxy(
  name: ProxyName,
  { port, servers }: { port: number; servers: readonly [number, number] },
): Promise<Proxy> {
  const { file, command }: Kind = KINDS[name];
  const folder = await Deno.makeTempDir();
  const config = `${folder}/${file}`;
  const text = await Deno.readTextFile(new URL(`../../deploy/${file}`, import.meta.url));
  await Deno.writeTextFile(config, placed(text, { port, servers, folder }));
  const [program, ...args] = command(config);
  const child = new Deno.Command(program, { args, stdout: "null", stderr: "inherit" }).spawn();
  const untilMs = performance.now() + START_MS;
  while (!(await accepts(port))) {
    if (performance.now() > untilMs) throw new Error(`${name} does not listen on ${port}`);
    await wait(20);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/**
 * A configuration for other ports, with its files in another folder.
 *
 * @throws if it does not name the ports that it should
 */
export function placed(
  text: string,
  { port, servers, folder }: { port: number; servers: readonly [number, number]; folder: string },
): string {
  const [one, two] = PORTS.servers;
  const moves: [from: string, to: string][] = [
    [`127.0.0.1:${PORTS.clients}`, `127.0.0.1:${port}`],
    [`127.0.0.1:${one}`, `127.0.0.1:${servers[0]}`],
    [`127.0.0.1:${two}`, `127.0.0.1:${servers[1]}`],
  ];
  return moves.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the configuration does not name ${from}`);
    return text.replaceAll(from, to);
  }, text.replace("/run/", `${folder}/`));
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
