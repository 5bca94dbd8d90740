/** Whether the server of this container answers; its exit status says so. */

const scheme = Deno.env.get("CPC_TLS_CERT") ? "https" : "http";
const answer = await fetch(`${scheme}://127.0.0.1:${Deno.env.get("CPC_PORT")}/healthz`);
await answer.body?.cancel();
Deno.exit(answer.ok ? 0 : 1);
