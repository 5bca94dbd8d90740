/** Connects to this very server, which may share its port with others. */
import { connect, type Socket } from "node:net";

/**
 * Connections for each server of a port. The system spreads them at random, so all of them miss
 * one server with a probability of e^-24.
 */
const CONNECTIONS = 24;
/**
 * Turns of the event loop within which it must have seen one of them, however long each takes: a
 * thread that stands still, because it is busy, is not deaf.
 */
const TURNS = 10;

/**
 * Connects until this server has seen a connection.
 *
 * @param at its own address
 * @param options `accepted`: resolves with the next connection that this server sees; `withinMs`:
 *   how soon after the last of them, in turns of the event loop; `processes`: how many servers
 *   share the port
 * @returns whether it has, as far as can be told from here
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
  const { promise: failed, resolve: fail } = Promise.withResolvers<boolean>();
  let timer: ReturnType<typeof setTimeout>;
  const wait = (turns: number) => {
    timer = setTimeout(() => turns > 1 ? wait(turns - 1) : fail(false), withinMs / TURNS);
  };
  const open = () => {
    const socket = connect(at);
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      // on a shared port another may get through; no free port on this side, say, is not its fault
      if (most === 1) fail(code !== "ECONNREFUSED");
    });
    sockets.push(socket);
    if (sockets.length < most) timer = setTimeout(open, withinMs / most);
    else wait(TURNS);
  };
  open();
  const reached = await Promise.race([accepted.then(() => true), failed]);
  clearTimeout(timer!);
  for (const socket of sockets) socket.destroy();
  return reached;
}
