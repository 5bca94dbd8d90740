/** Connects to this very server, which may share its port with others. */
import { connect, type Socket } from "node:net";

/**
 * Connections for each server of a port. The system spreads them at random, so all of them miss
 * one server with a probability of e^-24.
 */
const CONNECTIONS = 24;
/** A share of the time, after it: a thread that stood still sees connections later than its clock. */
const GRACE = 0.1;

/**
 * Connects until this server has seen a connection.
 *
 * @param at its own address
 * @param options `accepted`: resolves with the next connection that this server sees; `withinMs`:
 *   how soon after the last of them; `processes`: how many servers share the port
 * @returns whether it has
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
  let timer: ReturnType<typeof setTimeout>;
  const open = () => {
    const socket = connect(at);
    socket.on("error", most === 1 ? fail : () => {}); // another may get through
    sockets.push(socket);
    timer = sockets.length < most
      ? setTimeout(open, withinMs / most)
      : setTimeout(() => timer = setTimeout(fail, GRACE * withinMs), withinMs);
  };
  open();
  const reached = await Promise.race([accepted.then(() => true), failed.then(() => false)]);
  clearTimeout(timer!);
  for (const socket of sockets) socket.destroy();
  return reached;
}
