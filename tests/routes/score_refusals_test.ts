import assert from "node:assert/strict";
import { SCORE_LIMITS } from "../../recordings/score_options.ts";
import { wav, withServer } from "../support/server.ts";
import { post, refused, sound } from "../support/scores.ts";

Deno.test("POST /v1/score refuses what cannot be scored, with the bounds", async () => {
  await withServer(async ({ app }) => {
    const clip = wav(sound(5000, 7));
    const option = (name: string): [number, string, string] => [422, "invalid_option", name];
    await refused(
      await post(app, [clip]),
      option("window"),
      /2 to 512 windows.*20480.*5000.* make 0/,
    );
    await refused(await post(app, [clip], { window: "2600" }), option("window"), /make 1$/);
    const many = wav(sound((SCORE_LIMITS.windows + 1) * 640, 8));
    await refused(
      await post(app, [many], { window: "640" }),
      option("window"),
      /2 to 512 .* make 513/,
    );
    await refused(
      await post(app, [clip], { window: "640", t: "1" }),
      option("t"),
      /0 to 0 .*got 1/,
    );
    await refused(
      await post(app, [clip], { window: "2000", t: "9" }),
      option("t"),
      /0 to 8 .*got 9/,
    );
    await refused(
      await post(app, [clip], { window: "2000", t: "1", times: "all" }),
      option("t"),
      /leave out t/,
    );
    for (const t of ["-1", "2.5", "", "1e1", "last"]) {
      await refused(
        await post(app, [clip], { window: "2000", t }),
        option("t"),
        new RegExp(`got "${t}"`),
      );
    }
    await refused(await post(app, [clip], { window: "0" }), option("window"), /got "0"/);
    await refused(
      await post(app, [clip], { window: "160001" }),
      option("window"),
      /160000.*got "160001"/,
    );
    await refused(
      await post(app, [clip], { seed: "4294967296" }),
      option("seed"),
      /4294967295.*got "4294967296"/,
    );
    await refused(await post(app, [clip], { seed: "-1" }), option("seed"), /got "-1"/);
    await refused(await post(app, [clip], { times: "some" }), option("times"), /got "some"/);
    await refused(await post(app, [clip], { pool: "mean" }), option("pool"), /unknown option pool/);
    await refused(await post(app, [clip], { model: "mute" }), option("model"), /no predictors/);
    await refused(
      await post(app, [clip], { model: "none" }),
      [404, "model_not_found", "model"],
      /tiny/,
    );
    await refused(await post(app, [clip, wav([])]), [400, "invalid_audio", "input[1]"], /./);
  });
});

Deno.test("POST /v1/score: too few windows, t and samples are refused everywhere", async () => {
  await withServer(async ({ app }) => {
    const clip = wav(sound(5000, 15));
    const inputs = [clip.toBase64()];
    const asJson = (options: Record<string, unknown>) =>
      app.request("/v1/score", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input: inputs, ...options }),
      });
    const asQuery = (options: Record<string, unknown>) =>
      app.request(`/v1/score?${new URLSearchParams(options as Record<string, string>)}`, {
        method: "POST",
        headers: { "content-type": "audio/wav" },
        body: clip,
      });
    for (const send of [asJson, asQuery]) {
      await refused(
        await send({ window: 2501 }),
        [422, "invalid_option", "window"],
        /2 to 512 windows.* make 1$/,
      );
      await refused(
        await send({ window: 2500, t: 12 }),
        [422, "invalid_option", "t"],
        /0 to 11 .*got 12/,
      );
      await refused(
        await send({ window: 400 }),
        [422, "audio_too_short", "window"],
        /\d+ samples or more.*got 400/,
      );
      for (const t of [0, 11]) {
        assert.deepEqual((await (await send({ window: 2500, t })).json()).t, [t]);
      }
    }
    for (const t of [true, null, [1], "x"]) {
      await refused(await asJson({ window: 2500, t }), [422, "invalid_option", "t"], /option t/);
    }
  });
});

Deno.test("POST /v1/score: the shortest window that is named works", async () => {
  await withServer(async ({ app }) => {
    const clip = wav(sound(5000, 9));
    const short = await post(app, [clip], { window: "100" });
    assert.equal(short.status, 422);
    const { error } = await short.json();
    assert.deepEqual([error.code, error.param], ["audio_too_short", "window"]);
    const least = Number(/(\d+) samples or more/.exec(error.message)?.[1]);
    assert.equal((await post(app, [clip], { window: `${least - 1}` })).status, 422);
    assert.equal((await post(app, [clip], { window: `${least}` })).status, 200);
  });
});
