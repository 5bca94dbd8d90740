/**
 * A server that uses up its own file descriptors and gives them back: run it with a low `ulimit
 * -n`. Its argument is the number of sockets that it takes. It says on standard output what
 * happens, a line each.
 */
import { Hono } from "hono";
import { listen } from "../../routes/server.ts";

const onSignal = () => {};
Deno.addSignalListener("SIGTERM", onSignal); // takes its descriptors while there are some
const app = new Hono();
app.get("/", (c) => c.text("here"));
const server = await listen((request, env) => app.fetch(request, env as object), {
  host: "127.0.0.1",
  port: 0,
  maxMessageBytes: 1024,
  allowOrigins: [],
  knownHost: () => true,
  sockets: { open: Number(Deno.args[0]), closing: 48 },
  onDeaf: ({ error }) => console.log(error ? `failed: ${error}` : "listens anew"),
  probeTimes: { everyMs: 300, urgentMs: 300, withinMs: 300, giveUpMs: 60_000 },
});
console.log(server.url);
for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  if (!line.startsWith("starve")) break;
  const files: Deno.FsFile[] = [];
  try {
    for (;;) files.push(await Deno.open("/dev/null"));
  } catch {
    console.log("starved");
  }
  // the kernel completes the handshake, and accept fails
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (const file of files) file.close();
  console.log("fed");
}
await server.close(100);
Deno.removeSignalListener("SIGTERM", onSignal);
