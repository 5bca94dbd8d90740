import assert from "node:assert/strict";
import fc from "fast-check";
import { LIMITS } from "../../config/limits.ts";
import { CpcError } from "../../errors.ts";
import { ClipFiles } from "../../routes/clip_files.ts";
import { ClipForm } from "../../routes/clip_form.ts";

const TYPE = "multipart/form-data; boundary=edge";

/** What a form holds, read in pieces of this many bytes, and how far it was read. */
async function read(
  body: string | Uint8Array<ArrayBuffer>,
  { type = TYPE, pieceBytes = 1000 }: { type?: string; pieceBytes?: number } = {},
) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const clips = new ClipFiles();
  const fields: [string, string][] = [];
  let taken = 0;
  try {
    const form = new ClipForm(clips, {
      contentType: type,
      add: (name, value) => void fields.push([name, value]),
    });
    for (; taken < bytes.length; taken += pieceBytes) {
      await form.push(bytes.subarray(taken, taken + pieceBytes));
    }
    await form.end();
    const files = await Promise.all(
      clips.files.map(async (file) => (await Array.fromAsync(file)).flatMap((block) => [...block])),
    );
    return { files, fields, taken };
  } catch (error) {
    assert.ok(error instanceof CpcError, String(error));
    const { code, param } = error;
    return { code, param, taken };
  }
}

const part = (head: string, content = "") =>
  `--edge\r\nContent-Disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
const CLIP = part(`name="file"; filename="a.wav"`, "RIFF");

Deno.test("ClipForm gives files and fields as put in, however bytes are cut", async () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(bytes, { minLength: 1, maxLength: 4 }),
      fc.array(fc.string({ unit: "grapheme" }), { maxLength: 3 }),
      fc.integer({ min: 1, max: 2000 }),
      async (contents, values, pieceBytes) => {
        const form = new FormData();
        for (const value of values) form.append("option", value);
        for (const content of contents) {
          form.append("file", new Blob([Uint8Array.from(content)]), `"ä.wav`);
        }
        const response = new Response(form);
        const type = response.headers.get("content-type")!;
        const { files, fields } = await read(await response.bytes(), { type, pieceBytes });
        assert.deepEqual(files, contents.map((content) => [...content]));
        assert.deepEqual(
          fields,
          values.map((value) => ["option", value.replace(/\r\n|\r|\n/g, "\r\n")]),
        );
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("ClipForm stops at the first fault, long before the end", async () => {
  const many = 20_000;
  const faults: [what: string, body: string, code: string, param: string | undefined][] = [
    ["parts", CLIP.repeat(many), "too_large", undefined],
    ["fields", part(`name="x"`).repeat(many), "too_large", undefined],
    ["nameless parts", `--edge\r\n\r\n\r\n`.repeat(many), "too_large", undefined],
    ["another file", part(`name="x"; filename="a"`, "x".repeat(1e6)), "invalid_option", "x"],
    ["a long field", part(`name="x"`, "x".repeat(1e6)), "too_large", "x"],
  ];
  for (const [what, body, code, param] of faults) {
    const found = await read(body);
    if (what === "a long field") assert.equal(found.code, "invalid_message"); // it does not end
    else assert.deepEqual([found.code, found.param], [code, param], what);
    if (what !== "a long field") assert.ok(found.taken <= 40_000, `${what}: ${found.taken} bytes`);
  }
  const long = await read(part(`name="x"`, "x".repeat(LIMITS.optionBytes + 1)) + CLIP);
  assert.deepEqual([long.code, long.param], ["too_large", "x"]);
});

Deno.test("ClipForm takes every part named file, with a filename or without", async () => {
  const nameless = ['name="file"', 'name="file"\r\nContent-Type: audio/wav'];
  for (const head of nameless) {
    const { files, fields } = await read(part(head, "RIFX") + CLIP + part(`name="x"`) + "--edge--");
    const texts = files?.map((bytes) => String.fromCharCode(...bytes));
    assert.deepEqual([texts, fields], [["RIFX", "RIFF"], [["x", ""]]], head);
  }
});

Deno.test("ClipForm refuses forms that break off, lack a boundary or hold no file", async () => {
  const whole = CLIP + "--edge--\r\n";
  assert.deepEqual((await read(whole)).files, [[...new TextEncoder().encode("RIFF")]]);
  for (let end = 0; end < whole.length - 4; end++) {
    assert.equal((await read(whole.slice(0, end))).code, "invalid_message", `${end} bytes`);
  }
  assert.equal((await read(whole, { type: "multipart/form-data" })).code, "invalid_message");
  assert.equal((await read(part(`name="x"`) + "--edge--")).code, "invalid_message");
  assert.equal((await read("edge")).code, "invalid_message");
});

Deno.test("ClipForm takes as many recordings and fields as it says, and not one more", async () => {
  const form = (files: number, fields: number) =>
    CLIP.repeat(files) + part(`name="x"`, "1").repeat(fields) + "--edge--\r\n";
  const most = await read(form(LIMITS.clips, LIMITS.formFields));
  assert.deepEqual([most.files?.length, most.fields?.length], [LIMITS.clips, LIMITS.formFields]);
  assert.equal((await read(form(LIMITS.clips + 1, 0))).code, "too_large");
  assert.equal((await read(form(1, LIMITS.formFields + 1))).code, "too_large");
  const field = part(`name="x"`, "1".repeat(LIMITS.optionBytes)) + CLIP + "--edge--\r\n";
  assert.deepEqual((await read(field)).fields, [["x", "1".repeat(LIMITS.optionBytes)]]);
});
