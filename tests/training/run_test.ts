import assert from "node:assert/strict";
import { join } from "node:path";
import { DevSet } from "../../training/dev_set.ts";
import { initialTensors } from "../../training/initial_weights.ts";
import { lossChart } from "../../training/run.ts";
import { RunFolder } from "../../training/run_folder.ts";
import { Trainer } from "../../training/trainer.ts";
import { tinyRun } from "../support/training.ts";
import { sitting, tf, threeSittings, withCorpora } from "../support/sittings.ts";

Deno.test("runTraining() with a linear head in three sittings ends as in one", () =>
  threeSittings("linear"));

Deno.test("runTraining() goes on after a crash from the last checkpoint", async () => {
  await withCorpora(async (folder, corpora) => {
    const config = tinyRun();
    await sitting(folder, config, { ...corpora, until: 12 });
    const run = new RunFolder(folder);
    const lost = { nce: 9, nce_each: [9, 9, 9], accuracy_each: [0, 0, 0] };
    // written after the checkpoint, then the process died
    await run.append({ step: 14, seconds: 1, dev: lost });
    // in the middle of a line
    await Deno.writeTextFile(join(folder, "log.jsonl"), '{"step":16,"seco', { append: true });
    await sitting(folder, config, corpora);
    const steps = (await run.log()).map(({ step }) => step);
    assert.deepEqual(steps, [10, 20, 20, 30]);
    assert.match(await Deno.readTextFile(join(folder, "loss.svg")), /held-out speakers/);
    const log = await Deno.readTextFile(join(folder, "log.jsonl"));
    await Deno.writeTextFile(join(folder, "log.jsonl"), log.replace('"step":20', '"step":'));
    await assert.rejects(run.log(), /log\.jsonl, line 2 is not a line of a training log/);
  });
});

Deno.test("runTraining() keeps checkpoints, and ends when its time is over", async () => {
  await withCorpora(async (folder, corpora) => {
    const [config, run] = [tinyRun(), new RunFolder(folder)];
    assert.equal(await sitting(folder, config, { ...corpora, seconds: 0 }), 0);
    await assert.rejects(
      sitting(folder, config, { ...corpora, checkpointSeconds: 0, dies: 4 }),
      /died/,
    );
    assert.equal((await run.progress())?.step, 3);
    await assert.rejects(sitting(folder, config, { ...corpora, dies: 6 }), /died/);
    assert.equal((await run.progress())?.step, 3);
  });
});

Deno.test("runTraining() measures the averaged weights on the dev set", async () => {
  await withCorpora(async (folder, corpora) => {
    const config = tinyRun();
    await sitting(folder, config, { ...corpora, until: 10 });
    const trainer = new Trainer(tf, { config, tensors: initialTensors(config.model, 99) });
    await new RunFolder(folder).restore(tf, trainer);
    const dev = new DevSet(corpora.dev, config);
    const [{ nce: average }, { nce: last }] = [
      await dev.measure(tf, trainer.averaged),
      await dev.measure(tf, trainer.network),
    ];
    const [{ dev: logged }] = await new RunFolder(folder).log().then((log) =>
      log.filter(({ dev }) => dev)
    );
    assert.ok(logged && Math.abs(logged.nce - average) < 1e-4, `${logged?.nce} beside ${average}`);
    assert.ok(Math.abs(last - average) > 5e-4, `${last} beside ${average}`);
    trainer.dispose();
  });
});

Deno.test("runTraining() refuses to go on with other recordings than it began with", async () => {
  await withCorpora(async (folder, corpora) => {
    await sitting(folder, tinyRun(), { ...corpora, until: 1 });
    const others = { train: corpora.dev, dev: corpora.train };
    const why = { code: "invalid_option", message: /began on other recordings: give it those/ };
    await assert.rejects(sitting(folder, tinyRun(), others), why);
    await assert.rejects(sitting(folder, tinyRun(), { ...corpora, dev: corpora.train }), why);
    assert.equal(await sitting(folder, tinyRun(), { ...corpora, until: 2 }), 2);
  });
});

Deno.test("lossChart() draws training and held-out figures", () => {
  const figures = { nce: 3, nce_each: [3], accuracy_each: [0.5] };
  const svg = lossChart([{ step: 10, seconds: 1, dev: figures }, {
    step: 20,
    seconds: 2,
    dev: { ...figures, nce: 2 },
  }]);
  assert.match(svg, /^<svg/);
  assert.match(svg, /InfoNCE during training/);
});
