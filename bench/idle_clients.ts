/** Clients that connect, answer pings and say nothing, until standard input ends: URL NUMBER. */
import { ready } from "./load.ts";

const AT_ONCE = 200;

const [url, count] = Deno.args;
const sockets: Awaited<ReturnType<typeof ready>>[] = [];
while (sockets.length < Number(count)) {
  const more = Math.min(AT_ONCE, Number(count) - sockets.length);
  sockets.push(...await Promise.all(Array.from({ length: more }, () => ready(url, ""))));
}
const lost = new Promise((resolve) => {
  for (const socket of sockets) socket.once("close", () => resolve("lost"));
});
console.log("open");
const ended = new Response(Deno.stdin.readable).text().then(() => "ended");
const why = await Promise.race([lost, ended]);
Deno.exit(why === "ended" ? 0 : 1);
