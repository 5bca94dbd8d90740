/** Whether the server of this container answers; its exit status says so. */

const port = Number(Deno.env.get("CPC_PORT"));
if (Deno.env.get("CPC_TLS_CERT")) {
  // its certificate is for another name: that it takes connections has to do
  (await Deno.connect({ hostname: "127.0.0.1", port })).close();
} else {
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
  await answer.body?.cancel();
  if (!answer.ok) Deno.exit(1);
}
