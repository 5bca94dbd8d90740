import assert from "node:assert/strict";
import { placed } from "../../proof/proxies/proxy.ts";

const PORTS = { port: 1, servers: [2, 3], folder: "/tmp/x" } as const;

for (const file of ["haproxy.cfg", "nginx.conf"]) {
  Deno.test(`placed() moves every port and file of deploy/${file}`, async () => {
    const text = await Deno.readTextFile(new URL(`../../deploy/${file}`, import.meta.url));
    const moved = placed(text, PORTS);
    assert.deepEqual(
      [...moved.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port).toSorted(),
      ["1", "2", "3"],
    );
    assert.ok(!moved.includes(" /run/"));
    assert.throws(() => placed(moved, PORTS), /does not name 127\.0\.0\.1:8000/);
  });
}
