import assert from "node:assert/strict";
import { acceptedFormat } from "../../routes/accepted_format.ts";

Deno.test("acceptedFormat() follows the preferences of an Accept header", () => {
  const cases: [string | undefined, "json" | "npy" | "npz"][] = [
    [undefined, "json"],
    ["", "json"],
    ["*/*", "json"],
    ["text/html", "json"],
    ["application/x-npy", "npy"],
    ["APPLICATION/X-NPY;q=0.5, application/zip;q=0.9", "npz"],
    ["application/json;q=0.1, application/x-npy", "npy"],
    ["application/json;q=1, application/x-npy", "json"],
    ["application/x-npy;q=1, application/json", "npy"],
    ["application/x-npy;q=0", "json"],
    ["application/x-npy;q=0, application/json", "json"],
    ["application/zip;q=zero, */*;q=0.1", "json"],
    ["application/json;q=0, */*", "npy"],
    ["application/json;q=0.1, application/*", "npy"],
    ["application/x-npy, */*", "npy"],
    ["application/zip, application/x-npy;q=0.9, */*;q=0.1", "npz"],
    ["application/json;q=0", "json"],
    ["*/*;q=0", "json"],
    ["application/zip, */*;q=0", "npz"],
    ["application/json;q=0, application/x-npy;q=0, */*;q=0.1", "npz"],
    ["*/*, application/zip;q=0.5", "json"],
  ];
  for (const [accept, format] of cases) {
    assert.equal(acceptedFormat(accept, true), format, String(accept));
  }
  assert.equal(acceptedFormat("application/x-npy", false), "npz");
});
