/** Tries to do what a worker thread of the server must not do, and says what it could. */
declare const self: {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: Record<string, string>): void;
};

const ATTEMPTS: Record<string, () => unknown> = {
  read: () => Deno.readTextFileSync("/etc/hostname"),
  write: () => Deno.writeTextFileSync("/tmp/cpc_stream_escaped", ""),
  env: () => Deno.env.get("HOME"),
  connect: () => Deno.connect({ hostname: "127.0.0.1", port: 9 }),
  listen: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  run: () => new Deno.Command("true").outputSync(),
  runDeno: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  ffi: () => Deno.dlopen("libc.so.6", {}).close(),
  sys: () => Deno.hostname(),
};

self.onmessage = async () => {
  const outcomes: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(ATTEMPTS)) {
    try {
      await attempt();
      outcomes[name] = "could";
    } catch (error) {
      outcomes[name] = error instanceof Deno.errors.NotCapable ? "denied" : String(error);
    }
  }
  self.postMessage(outcomes);
};
