/** A TCP proxy whose connections a test cuts. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A running proxy. */
export interface CutProxy {
  readonly port: number;
  /** Connections that were taken. */
  readonly connections: number;
  /** Cuts every connection, without a close. */
  cut(): void;
  /** Cuts a connection after so many more bytes of the server. */
  cutAfter(bytesFromServer: number): void;
}

/** Runs a test with a proxy before a port. */
export async function withCutProxy(
  port: number,
  use: (proxy: CutProxy) => Promise<void>,
): Promise<void> {
  const open = new Set<Socket>();
  let connections = 0;
  let left = Infinity;
  const cut = () => open.forEach((socket) => socket.destroy());
  const server = createServer((near) => {
    connections++;
    const far = connect(port, "127.0.0.1");
    for (const [socket, other] of [[near, far], [far, near]]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
    }
    near.on("data", (data: Uint8Array) => far.write(data));
    far.on("data", (data: Uint8Array) => {
      near.write(data.subarray(0, left));
      left -= data.length;
      if (left > 0) return;
      left = Infinity;
      cut();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use({
      port: (server.address() as AddressInfo).port,
      get connections() {
        return connections;
      },
      cut,
      cutAfter: (bytes) => left = bytes,
    });
  } finally {
    cut();
    await new Promise((resolve) => server.close(resolve));
  }
}
