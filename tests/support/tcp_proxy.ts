/** A TCP proxy that cuts each connection after so many bytes, in whichever direction they went. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A running proxy. */
export interface TcpProxy {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Listens on a free port and forwards to `port`.
 *
 * @param cutAfter bytes after which the next connection is cut; Infinity never
 */
export async function startProxy(port: number, cutAfter: () => number): Promise<TcpProxy> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    let left = cutAfter();
    const cut = () => {
      near.destroy();
      far.destroy();
      open.delete(near);
      open.delete(far);
    };
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on("data", (data: Uint8Array) => {
        if (to.destroyed) return;
        to.write(data.subarray(0, Math.min(data.length, left)));
        left -= data.length;
        if (left <= 0) cut();
      });
      from.on("close", cut);
      from.on("error", cut);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const socket of open) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
