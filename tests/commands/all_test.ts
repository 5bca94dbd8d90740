import assert from "node:assert/strict";
import { AUDIO_KINDS } from "../../audio/source.ts";
import { STREAM_ENCODINGS } from "../../audio/stream_encodings.ts";
import { COMMANDS } from "../../commands/all.ts";
import { type Command, helpOf, written } from "../../commands/cli.ts";
import { EMBED } from "../../commands/embed/options.ts";
import { START } from "../../commands/start.ts";
import { readSettings } from "../../config/read.ts";
import { environmentName, flagOf, type Setting, type Settings } from "../../config/setting.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("every flag is in its command's help and in the docs, with its variable", async () => {
  const readme = await Deno.readTextFile(new URL("README.md", ROOT));
  const page = await Deno.readTextFile(new URL("docs/settings.md", ROOT));
  for (const command of COMMANDS) {
    const help = helpOf(command).replaceAll(/\s+/g, " ");
    const section = page.split(`\n## \`deno task ${command.name}\`\n`)[1]?.split("\n## ")[0];
    for (const [name, setting] of Object.entries(command.settings)) {
      const [flag, variable] = [written(name, setting), environmentName(name, setting)];
      assert.ok(help.includes(` ${flag} ${setting.help.replaceAll(/\s+/g, " ")} [`), flag);
      assert.ok(help.includes(`${variable}]`), variable);
      assert.ok(readme.includes(`\`${variable}\``), variable);
      const row = section?.split("\n").find((line) =>
        line.startsWith(`| \`${flag.replaceAll("|", "\\|")}\``)
      );
      assert.ok(row?.includes(`\`${variable}\``), `${command.name} ${flag}`);
    }
  }
});

Deno.test("every command is a task, and no two of its settings share a variable", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  for (const { name, settings } of COMMANDS) {
    assert.ok(Object.hasOwn(tasks, name), name);
    const variables = Object.entries(settings).map(([name, setting]) =>
      environmentName(name, setting)
    );
    assert.equal(new Set(variables).size, variables.length, name);
  }
});

/** The value of one setting of a command whose other flags are right. */
function valueOf(
  settings: Settings,
  name: string,
  { flag, variable }: { flag?: string; variable?: string },
): unknown {
  const setting: Setting = settings[name]!;
  const others = Object.entries(settings)
    .filter(([other, { value, fallback }]) => other !== name && value && fallback === undefined)
    .map(([other, { takes }]) => [other, /^(text|a path)$/.test(takes) ? "x" : undefined] as const)
    .flatMap(([other, text]) => text ? [`--${flagOf(other, settings[other]!)}`, text] : []);
  const given = readSettings(settings, {
    args: [...others, ...flag === undefined ? [] : [`--${flagOf(name, setting)}=${flag}`]],
    environment: (asked) => asked === environmentName(name, setting) ? variable : undefined,
    operands: true,
  });
  return given?.values[name];
}

Deno.test("every flag and variable with bounds refuses what is beyond them, by name", () => {
  let checked = 0;
  for (const { settings } of COMMANDS) {
    for (const [name, setting] of Object.entries(settings)) {
      if (/^(text|a path|1 or 0)$/.test(setting.takes)) continue;
      const refusal = `--${flagOf(name, setting)} takes ${setting.takes}`;
      for (const given of [{ flag: "§ §" }, { variable: "§ §" }]) {
        assert.throws(() => valueOf(settings, name, given), (error: Error) => {
          assert.ok(error.message.startsWith(refusal), error.message);
          const isSecret = ["apiKeys", "store"].includes(name); // a URL may hold a password
          assert.equal(error.message.includes(', got "§ §"'), !isSecret, error.message);
          assert.equal(error.message.endsWith(environmentName(name, setting)), "variable" in given);
          return true;
        });
      }
      checked++;
    }
  }
  assert.ok(checked > 30, `${checked}`);
});

Deno.test("every flag with a value wins over its variable", () => {
  for (const { name: command, settings } of COMMANDS) {
    for (const [name, setting] of Object.entries(settings)) {
      if (setting.value === undefined) continue;
      const flag = exampleOf(setting);
      // the variable's text is refused where it is read, or is another value
      const [alone, both] = [{ flag }, { flag, variable: "§ §" }]
        .map((given) => JSON.stringify(valueOf(settings, name, given)));
      assert.equal(both, alone, `${command} ${name}`);
    }
  }
});

/** A text that a setting takes and that is not its default. */
function exampleOf({ takes, range, fallback, read }: Setting): string {
  const number = String(Number(range?.split(" ")[0]) + 11);
  const words = takes.replace("a comma list of ", "").split(/, | or /);
  const texts = [
    number,
    "0.5",
    "48",
    "a.example",
    "https://app.example",
    "ws://app.example",
    "name=folder",
    "1/4",
    ...words,
  ];
  const example = texts.find((text) => {
    try {
      read([text], "flag");
      return text !== fallback;
    } catch {
      return false;
    }
  });
  assert.ok(example, `no text here is ${takes}: add one`);
  return example;
}

Deno.test("the help of start and embed names every encoding and kind of audio they take", () => {
  const words = (command: Command) => helpOf(command).split(/[\s,();]+/);
  const [start, embed] = [words(START), words(EMBED)];
  for (const encoding of STREAM_ENCODINGS) assert.ok(start.includes(encoding), encoding);
  for (const kind of AUDIO_KINDS) assert.ok(start.includes(kind) && embed.includes(kind), kind);
});
