import assert from "node:assert/strict";
import { UsageError } from "../../errors.ts";
import { linesReached } from "../../proof/coverage.ts";

const TABLE = `
| File           | Branch % | Line % |
| -------------- | -------- | ------ |
| errors.ts      |    100.0 |   97.0 |
| All files      |     88.1 |   93.4 |
`;

Deno.test("linesReached() reads the last cell of all files", () => {
  assert.equal(linesReached(TABLE), 93.4);
});

Deno.test("linesReached() refuses a folder without coverage", () => {
  assert.throws(() => linesReached("error: no coverage files"), UsageError);
});
