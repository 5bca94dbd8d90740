import assert from "node:assert/strict";
import { DecoderShelf } from "../../../streaming/session/decoder_shelf.ts";
import { sessionOf } from "../../support/sessions.ts";

/** Leaves the decoder of a session. */
function left(shelf: DecoderShelf, client: string, { heard = true } = {}) {
  const session = sessionOf({ encoding: "opus" });
  shelf.begin(session);
  if (heard) session.reset(); // its second segment
  shelf.keep(session, { expiresAtMs: 1000, client });
  return session;
}

function has(shelf: DecoderShelf, session: ReturnType<typeof left>): boolean {
  try {
    shelf.check(session);
    return true;
  } catch {
    return false;
  }
}

Deno.test("DecoderShelf.keep() makes room of the client who has most, the oldest first", () => {
  const shelf = new DecoderShelf({ maxKept: 3 });
  const quiet = left(shelf, "quiet");
  const greedy = Array.from({ length: 20 }, () => left(shelf, "greedy"));
  assert.equal(has(shelf, quiet), true, "the oldest of all, and its client's only");
  const places = greedy.flatMap((session, i) => has(shelf, session) ? [i] : []);
  assert.deepEqual(places, [18, 19]);
  shelf.close();
});

Deno.test("DecoderShelf.keep() drops decoders that heard nothing first", () => {
  const shelf = new DecoderShelf({ maxKept: 2 });
  const [first, second] = [left(shelf, "a"), left(shelf, "a")];
  const silent = Array.from({ length: 20 }, () => left(shelf, "b", { heard: false }));
  assert.deepEqual([first, second].map((session) => has(shelf, session)), [true, true]);
  assert.ok(silent.every((session) => !has(shelf, session)));
  shelf.close();
});

Deno.test("DecoderShelf.keep() does not count decoders whose session has a socket", async () => {
  const shelf = new DecoderShelf({ maxKept: 1 });
  const back = left(shelf, "a");
  await shelf.resume(back);
  const other = left(shelf, "a");
  assert.deepEqual([back, other].map((session) => has(shelf, session)), [true, true]);
  shelf.close();
});
