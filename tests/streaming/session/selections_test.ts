import assert from "node:assert/strict";
import { checkResume } from "../../../streaming/session/resume.ts";
import { sessionOf } from "../../support/sessions.ts";

Deno.test("Session.select() remembers so many selections, and a resume goes back as far", () => {
  const session = sessionOf();
  const select = (every: number) => {
    const { config, frames } = session;
    session.select({ output: config.output, steps: config.steps, every }, frames);
  };
  for (let every = 1; every <= 1000; every++) {
    session.hear(new Uint8Array(320));
    session.frames++;
    select(every);
    select(every);
  }
  assert.equal(session.selections.length, 128);
  const first = 1001 - 128;
  assert.deepEqual(
    session.selections.map(({ fromFrame, selection: { every } }) => [fromFrame, every]),
    Array.from({ length: 128 }, (_, i) => [first + i, first + i]),
  );
  const resume = (received: number) =>
    checkResume(session, { query: {}, received, outlives: false });
  resume(first);
  resume(1000);
  assert.throws(() => resume(first - 1), {
    code: "unknown_resume_token",
    message: /begins at frame 873, too late for received=872/,
  });
});
