import assert from "node:assert/strict";
import { task } from "./support/task.ts";

Deno.test("deno task start refuses flags, folders, busy ports with one line and 2", async () => {
  const blocker = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const busy = String((blocker.addr as Deno.NetAddr).port);
  const cases: [string[], RegExp, Record<string, string>?][] = [
    [["--workers", "0"], /--workers takes a whole number from 1/],
    [["--model", "no/such/folder"], /no config\.json in the weights folder no\/such\/folder/],
    [["--host", "0.0.0.0"], /--api-key/],
    [["--engine", "abacus"], /--engine takes onnx or tfjs/],
    [
      ["--precision", "int8", "--engine", "tfjs", "--port", "0"],
      /tfjs engine computes in fp32; int8/,
    ],
    [["--precision", "int8", "--device", "webgpu", "--port", "0"], /int8 computes on the CPU/],
    [["--port", busy], new RegExp(`port ${busy} .* in use`)],
    [[], /--port takes .*, got "eighty" in CPC_PORT/, { CPC_PORT: "eighty" }],
  ];
  for (const [args, message, env] of cases) {
    const { code, text, errors } = await task("start", args, { env });
    assert.deepEqual([code, text], [2, ""], errors);
    assert.match(errors, message);
    assert.equal(errors.trim().split("\n").length, 1, errors);
  }
  blocker.close();
});

Deno.test("deno task start ends its model workers before it fails", async () => {
  const blocker = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const busy = String((blocker.addr as Deno.NetAddr).port);
  const small = ["--model", "weights/cpc-small", "--workers", "4"]; // still at work when it fails
  const failures = [["--port", busy], ["--port", "0", "--store", "sqlite:no/such/folder/s.db"]];
  for (const failure of [...failures, ...failures, ...failures]) {
    const { code, text, errors } = await task("start", [...small, ...failure]);
    assert.deepEqual([code, text], [2, ""], errors);
    assert.equal(errors.trim().split("\n").length, 1, errors);
  }
  blocker.close();
});
