import assert from "node:assert/strict";
import { asker, type AskOptions, type Command } from "../../../routes/admin/commands.ts";

Deno.test("asker() gives servers 5 s, or 2 minutes where they build an engine", async () => {
  const asked: AskOptions[] = [];
  const ask = asker(() => Promise.reject(new Error("all are asked")), (_command, options) => {
    asked.push(options);
    return Promise.resolve([]);
  });
  const commands: Command[] = [
    { do: "sessions", page: { limit: 1 } },
    { do: "end", session: "x" },
    { do: "uses", model: "m" },
    { do: "reload", text: "[]" },
    { do: "load", model: "m" },
    { do: "unload", model: "m", endStreams: true },
  ];
  for (const command of commands) assert.deepEqual(await ask(command), []);
  const quick = { withinMs: 5000 };
  const building = { withinMs: 120_000, settles: "model m" };
  assert.deepEqual(asked, [
    quick,
    quick,
    quick,
    { ...quick, settles: "keys" },
    building,
    building,
  ]);
});

Deno.test("asker() gives each server's answer, and throws what one of them says", async () => {
  const page = { limit: 1 };
  const all = asker(
    () => Promise.reject(new Error("all are asked")),
    () => Promise.resolve([{ value: [] }, { value: null }]),
  );
  assert.deepEqual(await all({ do: "sessions", page }), [[], null]);
  const here = asker((command) => Promise.resolve({ value: command.do }));
  assert.deepEqual(await here({ do: "sessions", page }), ["sessions"]);
  const refused = { error: { code: "loading" as const, message: "not yet" } };
  const one = asker(() => Promise.resolve(refused));
  await assert.rejects(one({ do: "load", model: "m" }), { code: "loading", message: "not yet" });
});

Deno.test("asker() takes a model back that some servers loaded and others could not", async () => {
  const refused = { error: { code: "overloaded" as const, message: "no memory for it" } };
  const asked = async (told: readonly object[]) => {
    const commands: Command[] = [];
    const ask = asker(() => Promise.reject(new Error("all are asked")), (command) => {
      commands.push(command);
      return Promise.resolve(command.do === "load" ? told : [{ value: 0 }, { value: null }]);
    });
    await assert.rejects(ask({ do: "load", model: "m" }), { message: "no memory for it" });
    return commands.slice(1);
  };
  const unload = { do: "unload", model: "m", endStreams: true };
  assert.deepEqual(await asked([{ value: true }, refused]), [unload]);
  assert.deepEqual(await asked([refused, refused]), [], "nobody has it");
  assert.deepEqual(await asked([{ value: false }, refused]), [], "one had it before");
});
