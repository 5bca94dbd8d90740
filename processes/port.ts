/** The port that all servers share, chosen before any of them listens. */
import { type AddressInfo, createServer, type Server } from "node:net";
import { addressError } from "../config/address.ts";

/** A port that is free for this program's servers. */
export interface ReservedPort {
  readonly port: number;
  /** Gives it up; the servers listen on it by then. */
  release(): void;
}

/**
 * Finds out whether a port is free; 0 takes any free one, and holds it. Servers with `reusePort`
 * would share it with an earlier program of the same user, so this asks for it alone first.
 *
 * @throws {UsageError} if it is in use, or the address is none of this machine
 */
export async function reservePort(
  { host, port: asked }: { host: string; port: number },
): Promise<ReservedPort> {
  const alone = await listening({ host, port: asked, reusePort: false });
  const { port } = alone.address() as AddressInfo;
  await new Promise((resolve) => alone.close(resolve));
  if (asked !== 0) return { port, release() {} }; // whoever knows it is refused until they listen
  const held = await listening({ host, port, reusePort: true });
  return { port, release: () => void held.close() };
}

function listening(
  { host, port, reusePort }: { host: string; port: number; reusePort: boolean },
): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => reject(addressError(error, { host, port })));
    server.listen({ host, port, reusePort }, () => resolve(server));
  });
}
