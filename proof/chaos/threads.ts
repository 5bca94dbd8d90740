/** Stops single threads of another process, as a driver or a debugger might (ptrace, Linux). */
import { LeftOut } from "./case.ts";

const [SEIZE, DETACH, INTERRUPT] = [0x4206, 17, 0x4207];
const CLONE_WAITS = 0x40000000; // __WALL

/** A thread. */
export interface Thread {
  readonly tid: number;
  readonly name: string;
}

/** A process's threads, busiest first. */
export async function threadsOf(pid: number): Promise<Thread[]> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-L", "-o", "tid=,times=,comm=", "-p", String(pid)],
  }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
    const [tid, seconds, ...name] = line.trim().split(/\s+/);
    return { tid: Number(tid), seconds: Number(seconds), name: name.join(" ") };
  }).sort((a, b) => b.seconds - a.seconds);
}

/**
 * Stops a thread; the others of its process go on.
 *
 * @returns lets it go on
 * @throws {LeftOut} where the system does not allow it
 */
export function stopped(tid: number): () => void {
  try {
    return stopThread(tid);
  } catch (error) {
    throw new LeftOut((error as Error).message);
  }
}

function stopThread(tid: number): () => void {
  const libc = Deno.dlopen("libc.so.6", {
    ptrace: { parameters: ["i64", "i32", "pointer", "pointer"], result: "i64" },
    waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  });
  if (libc.symbols.ptrace(BigInt(SEIZE), tid, null, null) !== 0n) {
    libc.close();
    throw new Error(`this system does not allow to stop thread ${tid}`);
  }
  libc.symbols.ptrace(BigInt(INTERRUPT), tid, null, null);
  libc.symbols.waitpid(tid, new Uint8Array(4), CLONE_WAITS);
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    const goesOn = libc.symbols.ptrace(BigInt(DETACH), tid, null, null) === 0n;
    // it was killed: its process ends when this has been taken note of
    if (!goesOn) libc.symbols.waitpid(tid, new Uint8Array(4), CLONE_WAITS);
    libc.close();
  };
}
