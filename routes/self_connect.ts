/** Connects to this very server, which may share its port with others. */
import { connect, type Socket } from "node:net";

/**
 * Connections for each server of a port. The system spreads them at random, so all of them miss
 * one server with a probability of e^-24.
 */
const CONNECTIONS = 24;

/**
 * Connects until this server has seen a connection.
 *
 * @param at its own address
 * @param options `accepted`: resolves with the next connection that this server sees; `processes`:
 *   how many servers share the port
 * @returns whether that came within `withinMs`
 */
export async function reachesItself(
  at: { port: number; host: string },
  { accepted, withinMs, processes }: {
    accepted: Promise<void>;
    withinMs: number;
    processes: number;
  },
): Promise<boolean> {
  const most = processes === 1 ? 1 : CONNECTIONS * processes;
  const sockets: Socket[] = [];
  const { promise: failed, resolve: fail } = Promise.withResolvers<void>();
  const open = () => {
    if (sockets.length >= most) return;
    const socket = connect(at);
    socket.on("error", most === 1 ? fail : () => {}); // another may get through
    sockets.push(socket);
  };
  open();
  const more = setInterval(open, withinMs / most);
  const late = setTimeout(fail, withinMs);
  const reached = await Promise.race([accepted.then(() => true), failed.then(() => false)]);
  clearInterval(more);
  clearTimeout(late);
  for (const socket of sockets) socket.destroy();
  return reached;
}
