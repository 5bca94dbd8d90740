import assert from "node:assert/strict";
import { childrenOf, isAlive, startSupervisor } from "../support/supervised.ts";

/** A collector that takes what comes, and never answers. */
function silentCollector(): Disposable & { readonly environment: Record<string, string> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const heard: Deno.Conn[] = [];
  void (async () => {
    for await (const connection of listener) heard.push(connection);
  })();
  return {
    environment: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${listener.addr.port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: "3600000",
    },
    [Symbol.dispose]() {
      listener.close();
      for (const connection of heard) connection.close();
    },
  };
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`${signal} to a supervisor ends its servers, though the collector hangs`, async () => {
    using collector = silentCollector();
    const flags = ["--model", "weights/cpc-small", "--processes", "2", "--workers", "1"];
    const supervisor = await startSupervisor(flags, collector.environment);
    const servers = await childrenOf(supervisor.pid);
    assert.equal(servers.length, 2);
    const answer = await fetch(`${supervisor.url}/healthz`); // a span that has to leave
    assert.equal(await answer.text().then(() => answer.status), 200);
    supervisor.kill(signal);
    const { code } = await supervisor.ended;
    assert.equal(code, signal === "SIGTERM" ? 0 : 128 + 9);
    for (const server of servers) while (await isAlive(server));
    await Deno.remove(supervisor.folder, { recursive: true });
  });
}
