/** Recordings in bodies that may hold several: forms and JSON. */
import { Buffer } from "node:buffer";
import { z } from "zod";
import { CpcError } from "../errors.ts";

type AddOption = (name: string, value: unknown) => void;

/**
 * Recordings in a form: its parts named `file`.
 *
 * @param add receives the other fields
 * @throws {CpcError} `invalid_message`, `invalid_option`
 */
export async function formFiles(
  body: Uint8Array<ArrayBuffer>,
  type: string,
  add: AddOption,
): Promise<Uint8Array[]> {
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "content-type": type } }).formData();
  } catch (error) {
    throw new CpcError(
      "invalid_message",
      `the multipart body is malformed: ${(error as Error).message}`,
    );
  }
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? [];
  // the parser leaves out a last part without an end
  if (
    Buffer.from(body.buffer, body.byteOffset, body.length).lastIndexOf(`--${quoted ?? plain}--`) < 0
  ) {
    throw new CpcError(
      "invalid_message",
      "the multipart body breaks off before its closing boundary",
    );
  }
  const files: Uint8Array[] = [];
  for (const [name, value] of form) {
    if (name === "file") {
      if (typeof value === "string") {
        throw noFile('a part "file" has no filename: without one it is text, not a recording');
      }
      files.push(new Uint8Array(await value.arrayBuffer()));
    } else if (typeof value === "string") add(name, value);
    else {
      const why = `part ${name} is a file; parts with recordings are named "file"`;
      throw new CpcError("invalid_option", why, { param: name });
    }
  }
  if (files.length === 0) throw noFile('the form has no part named "file"');
  return files;
}

function noFile(why: string): CpcError {
  return new CpcError("invalid_message", why, { param: "file" });
}

const jsonSchema = z.looseObject({ input: z.array(z.string()).min(1) });

/**
 * Recordings in JSON, `{"input": ["<base64>", …]}`.
 *
 * @param add receives the other members
 * @throws {CpcError} `invalid_message`; `invalid_audio` for anything but base64
 */
export function jsonFiles(body: Uint8Array, add: AddOption): Uint8Array[] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new CpcError("invalid_message", "the body is not JSON");
  }
  const parsed = jsonSchema.safeParse(json);
  if (!parsed.success) {
    throw new CpcError(
      "invalid_message",
      'the body is not {"input": ["<base64 of an audio file>", …]} with at least one file',
      {
        param: "input",
      },
    );
  }
  const { input, ...rest } = parsed.data;
  for (const [name, value] of Object.entries(rest)) add(name, value);
  return input.map((text, i) => {
    try {
      return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    } catch {
      throw new CpcError("invalid_audio", `input[${i}] is not base64`, { param: `input[${i}]` });
    }
  });
}
