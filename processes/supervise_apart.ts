/**
 * Runs the supervisor in a thread, since a thread's rights can name the one program that it starts,
 * wherever that lies; `deno.json` cannot know the place. The process then gives its own rights up.
 */
import { UsageError } from "../errors.ts";
import { startThread, type ThreadRights } from "../threads.ts";

/** What it answers: the exit status, or what is wrong with the settings or the port. */
export type Supervised = { readonly status: number } | { readonly wrong: string };

/**
 * Variables of the loader of libraries. Deno starts a program with one of them for those alone who
 * may start any.
 */
const LOADER_VARIABLES = [
  "LD_LIBRARY_PATH",
  "LD_PRELOAD",
  "LD_AUDIT",
  "LD_BIND_NOW",
  "LD_DEBUG",
  "LD_DEBUG_OUTPUT",
  "DYLD_LIBRARY_PATH",
  "DYLD_FALLBACK_LIBRARY_PATH",
  "DYLD_FRAMEWORK_PATH",
  "DYLD_INSERT_LIBRARIES",
];

/**
 * Of programs it may start Deno alone; any, where the loader has been told of other libraries, as
 * containers with NVIDIA's driver do (`LD_LIBRARY_PATH`), since the servers need those too.
 */
export function supervisorRights(
  environment = (name: string) => Deno.env.get(name),
): ThreadRights {
  return {
    run: LOADER_VARIABLES.some(environment) ? "inherit" : [Deno.execPath()],
    net: "inherit", // until the port is found
    write: "inherit", // the folder of sessions
    read: "inherit",
    env: "inherit",
    import: false,
    sys: false,
    ffi: false,
  };
}

/**
 * Runs the servers until a signal ends them.
 *
 * @param args the words of the command line, which the thread reads again: settings hold functions
 * @returns the exit status
 * @throws {UsageError} if the settings or the port cannot be used
 */
export async function superviseApart(args: readonly string[]): Promise<number> {
  const thread = startThread(
    new URL("./supervisor_thread.ts", import.meta.url),
    supervisorRights(),
  );
  for (const name of ["run", "net", "write", "ffi"] as const) {
    await Deno.permissions.revoke({ name });
  }
  const answer = await new Promise<Supervised>((resolve, reject) => {
    thread.onmessage = ({ data }: MessageEvent<Supervised>) => resolve(data);
    thread.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`the supervisor stopped: ${event.message}`));
    };
    thread.postMessage(args);
  });
  thread.terminate();
  if ("wrong" in answer) throw new UsageError(answer.wrong);
  return answer.status;
}
