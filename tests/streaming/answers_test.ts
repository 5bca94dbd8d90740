import assert from "node:assert/strict";
import { CpcError } from "../../errors.ts";
import { modelLayout } from "../../model/engine.ts";
import { drainingMessage, errorMessage, readyMessage } from "../../streaming/answers.ts";
import { toldLimits } from "../../streaming/protocol/limits.ts";
import { parseStreamQuery, streamConfig } from "../../streaming/protocol/query.ts";
import { Session } from "../../streaming/session/session.ts";
import { tinyConfig } from "../support/models.ts";
import { LIMITS } from "../support/stream_server.ts";

const layout = modelLayout(tinyConfig);

Deno.test("readyMessage() tells what the model does, from the first missing frame on", () => {
  const config = streamConfig(parseStreamQuery(new URLSearchParams("every=2")), {
    model: "tiny",
    dims: layout.dims,
  });
  const session = new Session(config, { owner: "", layout, nowMs: 0 });
  session.select({ output: ["latent"], steps: [2], every: 5 }, 7);
  const ready = (received?: number) =>
    readyMessage(session, { token: "t", limits: toldLimits(LIMITS, ""), received }) as Record<
      string,
      unknown
    >;
  const { frame_rate, hop, lookahead, resumed, every, output } = ready();
  assert.deepEqual([frame_rate, hop, lookahead], [100, 160, 312]);
  assert.deepEqual([resumed, every, output], [undefined, 2, ["context"]]);
  assert.deepEqual([ready(6).every, ready(7).every, ready(7).resumed], [2, 5, true]);
});

Deno.test("drainingMessage() says to resume only where a token is good elsewhere", () => {
  assert.deepEqual(drainingMessage("t"), {
    type: "warning",
    code: "draining",
    message: "the server is stopping, resume on another one",
    resume: "t",
  });
  const { resume, message } = drainingMessage(undefined) as Record<string, unknown>;
  assert.equal(resume, undefined);
  assert.match(String(message), /begin a new stream$/);
});

Deno.test("errorMessage() rounds the wait, and leaves out what does not apply", () => {
  const error = new CpcError("loading", "soon", { retryAfterMs: 10.6, param: "resume" });
  const { retry_after_ms, param, fatal } = errorMessage(error) as Record<string, unknown>;
  assert.deepEqual([retry_after_ms, param, fatal], [11, "resume", true]);
  const plain = errorMessage(new CpcError("internal", "no"));
  assert.ok(!("retry_after_ms" in plain) && !("param" in plain));
});
