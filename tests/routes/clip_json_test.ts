import assert from "node:assert/strict";
import fc from "fast-check";
import { LIMITS } from "../../config/limits.ts";
import { CpcError } from "../../errors.ts";
import { ClipFiles } from "../../routes/clip_files.ts";
import { ClipJson } from "../../routes/clip_json.ts";

/** What a body holds, read in pieces of this many bytes, and how far it was read. */
async function read(body: string | Uint8Array, pieceBytes = 1000) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : Uint8Array.from(body);
  const clips = new ClipFiles();
  const json = new ClipJson(clips);
  let taken = 0;
  try {
    for (; taken < bytes.length; taken += pieceBytes) {
      json.push(bytes.subarray(taken, taken + pieceBytes));
    }
    const options = json.end();
    const files = await Promise.all(
      clips.files.map(async (file) => (await Array.fromAsync(file)).flatMap((block) => [...block])),
    );
    return { files, options, taken };
  } catch (error) {
    assert.ok(error instanceof CpcError, String(error));
    const { code, param, message } = error;
    return { code, param, message, taken };
  }
}

Deno.test("ClipJson gives what JSON.parse and fromBase64 give, however cut", async () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  const spaced = (text: string, every: number) =>
    [...text].map((x, i) => i % every === 0 ? ` ${x}` : x).join("");
  const escaped = (text: string, style: number) =>
    style === 0 ? JSON.stringify(text) : JSON.stringify(text).replaceAll("/", "\\/").replace(
      style === 2 ? /[A-F ]/g : /\n/g,
      (x) => `\\u${x.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  await fc.assert(
    fc.asyncProperty(
      fc.array(bytes, { minLength: 1, maxLength: 5 }),
      fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 }),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(2),
      fc.boolean(),
      async (files, members, pieceBytes, style, first) => {
        delete members.input;
        const input = `"input" : [${
          files.map((file) => escaped(spaced(file.toBase64(), 7), style)).join(" ,\n")
        }]`;
        const rest = Object.entries(members).map(([name, value]) =>
          `${JSON.stringify(name)}:${JSON.stringify(value)}`
        );
        const body = `\ufeff{${(first ? [input, ...rest] : [...rest, input]).join(", ")}}`;
        const found = await read(body, pieceBytes);
        assert.deepEqual(found.files, files.map((file) => [...file]));
        assert.deepEqual(
          found.options,
          Object.entries(JSON.parse(body.slice(1))).filter(([name]) => name !== "input"),
        );
      },
    ),
  );
});

Deno.test("ClipJson takes base64 with strict padding, and no other", async () => {
  const text = fc.string({ unit: fc.constantFrom("A", "B", "/", "=", " ", "_"), maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 5 }), async (text, pieceBytes) => {
      let truth: number[] | undefined;
      try {
        truth = [...Uint8Array.fromBase64(text, { lastChunkHandling: "strict" })];
      } catch { /* refused below */ }
      const { files, code, param } = await read(JSON.stringify({ input: [text] }), pieceBytes);
      if (truth) assert.deepEqual(files, [truth]);
      else assert.deepEqual([code, param], ["invalid_audio", "input[0]"]);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("ClipJson refuses raw control characters, and takes escaped ones", async () => {
  for (let byte = 0; byte < 0x20; byte++) {
    const raw = String.fromCharCode(byte);
    for (const text of [`AA${raw}AA`, `AA\\u0041A${raw}`, `\\"${raw}AAA`]) {
      const { code } = await read(`{"input":["${text}"]}`, 3);
      // base64 is decoded as it comes, so its fault may be found first
      assert.ok(code === "invalid_message" || text.startsWith("\\"), JSON.stringify(text));
      assert.notEqual(code, undefined);
    }
  }
  for (const space of ["\\n", "\\r\\n", "\\t", "\\u000a"]) {
    const { files } = await read(`{"input":["AA${space}AA"]}`, 3);
    assert.deepEqual(files, [[0, 0, 0]], space);
  }
});

Deno.test("ClipJson stops at the first fault, long before the end", async () => {
  const faults: [what: string, body: string, code: string, param: string | undefined][] = [
    ["numbers", `{"input":[1${",1".repeat(1e5)}]}`, "invalid_message", "input[0]"],
    ["empty arrays", `{"input":["AAAA",[]${",[]".repeat(1e5)}]}`, "invalid_message", "input[1]"],
    ["empty strings", `{"input":[""${`,""`.repeat(1e5)}]}`, "too_large", undefined],
    ["text", `{"input":"speech. ${"A".repeat(1e5)}"}`, "invalid_audio", "input[0]"],
    ["a number", `{"input":1${"0".repeat(1e5)}}`, "invalid_message", "input"],
    ["a list", `[${"1,".repeat(1e5)}1]`, "invalid_message", "input"],
    ["depth", `{"pool":${"[".repeat(1e5)}`, "invalid_message", undefined],
    ["no base64", `{"input":["${"!".repeat(1e5)}"]}`, "invalid_audio", "input[0]"],
    ["text after padding", `{"input":["AA==${"A".repeat(1e5)}"]}`, "invalid_audio", "input[0]"],
    [
      "input twice",
      `{"input":["AAAA"],"input":["AAAA"],${" ".repeat(1e5)}`,
      "invalid_message",
      undefined,
    ],
    ["a wrong escape", `{"input":["A\\xAA${"A".repeat(1e5)}"]}`, "invalid_message", undefined],
  ];
  for (const [what, body, code, param] of faults) {
    const found = await read(body);
    assert.deepEqual([found.code, found.param], [code, param], what);
    assert.ok(found.taken <= 2000, `${what}: ${found.taken} bytes were read`);
  }
  for (const filler of [" ", `"member":1,`, `"${"m".repeat(1000)}":1,`]) {
    const found = await read(`{${filler.repeat(2 * LIMITS.optionBytes)}`);
    assert.deepEqual(found.code, "too_large");
    assert.ok(found.taken <= LIMITS.optionBytes, `${found.taken} bytes were read`);
  }
});

Deno.test("ClipJson takes one string in place of a list, and an escaped name", async () => {
  const bodies = [
    `{"input":"AAAA","x":"input"}`,
    `{"x":"input","input" : ["AAAA"]}`,
    `{"x":"in\\"put","inp\\u0075t":["AAAA"]}`,
    `{"x":{"input":["!"]},"input":"AAAA"}`,
    `{"x":["input",{"input":"!"}],"input":["AAAA"]}`,
  ];
  for (const body of bodies) {
    for (const pieceBytes of [1, 7, 1000]) {
      const { files, options, message } = await read(body, pieceBytes);
      assert.deepEqual(files, [[0, 0, 0]], `${body}: ${message}`);
      assert.deepEqual(options?.map(([name]) => name), ["x"]);
    }
  }
});

Deno.test("ClipJson takes what is just as deep or long as allowed", async () => {
  const nested = (depth: number) =>
    `{"input":["AAAA"],"x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  assert.equal((await read(nested(7))).code, undefined);
  const deep = await read(nested(8));
  assert.deepEqual([deep.code, deep.message], [
    "invalid_message",
    "the body is not JSON: it nests more than 8 deep",
  ]);
  const long = (bytes: number) => { // each recording counts as an empty string
    const body = `{"input":["","AAAA"],"x":""}`;
    return body.slice(0, -2) + "x".repeat(bytes - body.length + 4) + '"}';
  };
  assert.equal((await read(long(LIMITS.optionBytes))).code, undefined);
  assert.equal((await read(long(LIMITS.optionBytes + 1))).code, "too_large");
  assert.match(
    (await read(`{"input":["","AA\nAA"]}`)).message ?? "",
    /: input\[1\] has a line break/,
  );
  const { param, message } = await read(`{"input":["","","!"]}`);
  assert.deepEqual([param, message], ["input[2]", "input[2] is not base64"]);
});

Deno.test("ClipJson refuses bodies that are no JSON, or none of recordings", async () => {
  const cases = [
    "",
    "{",
    `{"input":["AAAA"]`,
    `{"input":["AAAA"}`,
    `{"input":["AAAA"]}}`,
    `{"input":["AAAA" "AAAA"]}`,
    `{"input":["AAAA",]}`,
    `{"input":["AA`,
    `{"input":["AAAA\\`,
    `{"input":[]}`,
    `{}`,
    `null`,
    `"x"`,
    `{"x":{"input":["AAAA"]}}`,
    `{"input":{"a":"AAAA"}}`,
    `{"input":null}`,
    Uint8Array.of(0x7b, 0xff, 0x7d),
  ];
  for (const body of cases) {
    for (const pieceBytes of [1, 1000]) {
      assert.equal((await read(body, pieceBytes)).code, "invalid_message", String(body));
    }
  }
});
